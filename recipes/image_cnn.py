"""A small residual convolutional network that classifies images.

By default it learns the handwritten digits that ship with scikit-learn. `--data` takes MNIST and
similar sets by name, or your own folder with one subfolder of images per class:

    python recipes/image_cnn.py
    python recipes/image_cnn.py --data fashion_mnist
    python recipes/image_cnn.py --data path/to/folder
    python recipes/image_cnn.py --data path/to/folder --backbone EfficientNetB0
    python recipes/image_cnn.py predict some.png other.png
"""

import math

import kcatalog
from kcatalog.recipe import Recipe, tuning
from kcatalog.recipe.data import Images, Pretrained
from kcatalog.recipe.tasks import baselines, steps_per_epoch
from kcatalog.recipe.training import backbone

import keras
from keras import layers

BATCH_SIZE = 32
MANY = 10_000  # samples from which on a network for large images is wide
EDGE = 32  # pixels: larger images are halved before the first stage
WIDEST = 256  # filters
LEAST_STEPS = 30  # between falls of the learning rate


# data: images of one size, 0 to 255, and class indices
source = Pretrained(Images(default="digits", size=64, channels=3))


def build(hp, data):
    """Build augmentation, stages of residual blocks or a backbone, and a dense head."""
    images = keras.Input(data.input_shape, dtype="uint8", name=data.input_name)
    pretrained = backbone.load(data)  # --backbone
    x = layers.Rescaling(1.0 if pretrained else 1 / 255)(images)
    large = min(data.input_shape[:2]) > EDGE
    amount = hp.Choice("jitter", [0.0, 0.05, 0.1], default=0.1 if large else 0.0)
    x = jitter(x, amount)  # helps where images are not aligned
    x = pretrained(x) if pretrained else stages(hp, x, large and len(data.train[0]) < MANY)

    rate = hp.Float("dropout", 0.2, 0.5, default=0.3)
    x = (layers.GlobalAveragePooling2D() if large else layers.Flatten())(x)
    x = layers.Dropout(rate)(x)
    x = layers.Dense(hp.Choice("units", [64, 128, 256], default=128), use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.Dropout(rate)(layers.ReLU()(x))
    model = keras.Model(images, layers.Dense(len(data.classes), dtype="float32")(x))
    chosen = optimizer(hp, data)
    if pretrained:
        chosen = pretrained.optimizer(hp, chosen, model, data, BATCH_SIZE)
    model.compile(chosen, loss(hp), metrics=["accuracy"])
    return model


def stages(hp, x, narrow):
    """Apply stages of residual blocks, each of which halves the image."""
    widths = [8, 16, 32] if narrow else [16, 32, 64]
    filters = hp.Choice("filters", widths, default=widths[1])
    penalties = [None, "keras.regularizers.L2", "kcatalog.regularizers.SoftOrthogonality"]
    regularizer = tuning.choose(hp, "regularizer", penalties)
    while min(x.shape[1:3]) > EDGE:
        x = layers.ReLU()(convolution(x, filters, regularizer, strides=2))
    x = convolution(x, filters, regularizer)
    x = layers.ReLU()(x)
    for stage in range(max(2, round(math.log2(min(x.shape[1:3]))) - 1)):  # down to about 4 x 4
        if stage:
            filters = min(2 * filters, WIDEST)
            x = convolution(x, filters, regularizer, kernel_size=1)
            x = layers.MaxPooling2D()(x)
        x = residual_block(hp, x, filters, regularizer)
    return x


def jitter(x, amount):
    """Shift, scale and rotate images at random by up to `amount`, in training only."""
    if amount == 0:
        return x
    x = layers.RandomTranslation(amount, amount, fill_mode="constant")(x)
    x = layers.RandomZoom(amount, fill_mode="constant")(x)
    return layers.RandomRotation(amount / 2, fill_mode="constant")(x)


def convolution(x, filters, regularizer, kernel_size=3, strides=1):
    """Apply a convolution and batch normalization."""
    x = layers.Conv2D(
        filters,
        kernel_size,
        strides,
        padding="same",
        use_bias=False,
        kernel_regularizer=regularizer,
    )(x)
    return layers.BatchNormalization(momentum=0.9)(x)


def residual_block(hp, x, filters, regularizer):
    """Add two convolutions to x, with gated channels and stochastic depth."""
    y = convolution(x, filters, regularizer)
    y = layers.ReLU()(y)
    y = convolution(y, filters, regularizer)
    y = tuning.draw(hp, "kcatalog.layers.SqueezeExcite", "squeeze_excite")(y)
    y = kcatalog.layers.StochasticDepth(hp.Float("stochastic_depth", 0.0, 0.2, default=0.1))(y)
    return layers.ReLU()(x + y)


def loss(hp):
    """Choose a cross-entropy or a hinge loss, all of them for logits."""
    losses = [
        "keras.losses.SparseCategoricalCrossentropy",
        "kcatalog.losses.SparseCategoricalFocalCrossentropy",
        "kcatalog.losses.CrammerSingerHinge",
    ]
    return tuning.choose(hp, "loss", losses, fixed={"from_logits": True})


def optimizer(hp, data):
    """Choose an optimizer and a wrapper; the learning rate falls by an eighth each epoch, or more
    slowly where an epoch has few steps."""
    size = tuning.batch_size(hp, data, BATCH_SIZE)
    rate = keras.optimizers.schedules.ExponentialDecay(
        hp.Float("learning_rate", 1e-3, 4e-3, sampling="log", default=2e-3),
        decay_steps=max(LEAST_STEPS, steps_per_epoch(data, size)),
        decay_rate=7 / 8,
    )
    optimizers = ["keras.optimizers.AdamW", "keras.optimizers.Nadam"]
    wrappers = [None, "kcatalog.optimizers.GradientCentralization", "kcatalog.optimizers.Lookahead"]
    return tuning.optimizer(hp, optimizers, wrappers, fixed={"learning_rate": rate})


recipe = Recipe(
    "image_cnn",
    source,
    build,
    baseline=baselines.support_vectors,
    epochs=30,
    trials=3,
    trial_epochs=15,  # shorter ones choose by noise
    batch_size=BATCH_SIZE,
)

if __name__ == "__main__":
    recipe.main()
