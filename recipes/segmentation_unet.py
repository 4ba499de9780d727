"""A small U-Net that predicts the class of each pixel of an image.

By default it finds digits that are pasted onto photographs, both from scikit-learn. `--data` takes
your own folder with the subfolders images and masks:

    python recipes/segmentation_unet.py
    python recipes/segmentation_unet.py --data path/to/folder
    python recipes/segmentation_unet.py --data path/to/folder --backbone MobileNetV3Small
    python recipes/segmentation_unet.py predict some.png other.png
"""

from kcatalog.recipe import Recipe, tuning
from kcatalog.recipe.data import Masks, Pretrained
from kcatalog.recipe.tasks import baselines, steps_per_epoch
from kcatalog.recipe.training import backbone

import keras
from keras import layers

BATCH_SIZE, EPOCHS, STAGES = 32, 15, 3

# data: images of one size, 0 to 255, and a class index for each pixel
source = Pretrained(Masks(default="digit_scenes", size=64))


def build(hp, data):
    """Build stages that halve the image, then stages that double it, with skip connections."""
    images = keras.Input(data.input_shape, dtype="uint8", name=data.input_name)
    filters = hp.Choice("filters", [8, 12, 16], default=12)
    pretrained = backbone.load(data, pyramid=True)  # --backbone
    *skips, x = pretrained(images) if pretrained else encoder(images, filters)
    x = layers.SpatialDropout2D(hp.Float("dropout", 0.0, 0.3, default=0.1))(x)
    for stage, skip in reversed(list(enumerate(skips))):
        x = layers.UpSampling2D(skip.shape[1] // x.shape[1])(x)
        x = block(layers.Concatenate()([x, skip]), filters * 2**stage)
    model = keras.Model(images, layers.Dense(len(data.classes), dtype="float32")(x))
    iou = keras.metrics.MeanIoU(len(data.classes), sparse_y_pred=False, name="mean_iou")
    chosen = optimizer(hp, data)
    if pretrained:
        chosen = pretrained.optimizer(hp, chosen, model, data, BATCH_SIZE)
    model.compile(chosen, loss(hp), metrics=[iou])
    return model


def encoder(images, filters):
    """Return the feature maps of each stage, the largest first."""
    x, maps = layers.Rescaling(1 / 255)(images), []
    for stage in range(STAGES):
        x = block(x, filters * 2**stage)
        maps.append(x)
        x = layers.MaxPooling2D()(x)
    return [*maps, block(x, filters * 2**STAGES)]


def block(x, filters):
    """Apply two convolutions, each with batch normalization."""
    for _ in range(2):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    return x


def loss(hp):
    """Choose the cross-entropy of pixels or an overlap loss of masks, all of them for logits."""
    losses = [
        "keras.losses.SparseCategoricalCrossentropy",
        "kcatalog.losses.FocalTversky",
        "kcatalog.losses.GeneralizedDice",
        "kcatalog.losses.Jaccard",
        "kcatalog.losses.LovaszSoftmax",
    ]
    return tuning.choose(hp, "loss", losses, fixed={"from_logits": True})


def optimizer(hp, data):
    """Use AdamW with a learning rate that falls to zero."""
    size = tuning.batch_size(hp, data, BATCH_SIZE)
    rate = keras.optimizers.schedules.CosineDecay(
        hp.Float("learning_rate", 2e-3, 8e-3, sampling="log", default=4e-3),
        decay_steps=EPOCHS * steps_per_epoch(data, size),
    )
    return tuning.optimizer(hp, ["keras.optimizers.AdamW"], fixed={"learning_rate": rate})


recipe = Recipe(
    "segmentation_unet",
    source,
    build,
    baseline=baselines.pixel_classifier,
    epochs=EPOCHS,
    trials=3,
    trial_epochs=5,
    batch_size=BATCH_SIZE,
)

if __name__ == "__main__":
    recipe.main()
