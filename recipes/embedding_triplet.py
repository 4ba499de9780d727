"""A network that maps images or utterances to vectors, close together for one class.

By default it learns the handwritten digits that ship with scikit-learn. `--data` takes the vowels
of nine speakers, or your own folder with one subfolder of images or WAV files per class:

    python recipes/embedding_triplet.py
    python recipes/embedding_triplet.py --data vowels
    python recipes/embedding_triplet.py --data path/to/folder
    python recipes/embedding_triplet.py --data path/to/images --backbone MobileNetV3Small
    python recipes/embedding_triplet.py predict one.png other.png third.png

It is scored by the class of the nearest neighbour. Losses that use the hardest samples only
(`TripletHard`) collapse from scratch on small sets, so they are warmed up with semi-hard triplets.
"""

import math

import kcatalog
from kcatalog.recipe import Recipe, tuning
from kcatalog.recipe.data import Images, Labelled, Pretrained, Speech
from kcatalog.recipe.tasks import baselines, steps_per_epoch
from kcatalog.recipe.training import backbone
from kcatalog.recipe.training.loss_switch import SwitchedLoss

import keras
from keras import layers, ops

EPOCHS, BATCH_SIZE = 60, 40

# data: images of one size, padded frames or waveforms; and class indices
source = Pretrained(Labelled(Images(size=64, channels=3), Speech(rate=16_000), default="digits"))


def build(hp, data):
    """Convolutions over the image or over time, pooling, and a vector of length one."""
    encoders = {"image": image, "frames": frames, "waveform": waveform}
    pretrained = backbone.load(data)  # --backbone
    if pretrained:
        inputs, x = on_backbone(pretrained, data)
    else:
        inputs, x = encoders[data.input_name](hp, data)
    x = layers.Dropout(hp.Float("dropout", 0.1, 0.3, default=0.2))(x)
    x = layers.Dense(hp.Choice("embedding", [16, 32, 64], default=32), dtype="float32")(x)
    model = keras.Model(inputs, layers.UnitNormalization(dtype="float32")(x))
    hp.Choice("samples_per_class", [4, 6, 8])  # of each class in a batch
    chosen = optimizer(hp, data)
    if pretrained:
        chosen = pretrained.optimizer(hp, chosen, model, data, BATCH_SIZE)
    model.compile(chosen, loss(hp))
    return model


def on_backbone(pretrained, data):
    """Average the last feature maps of a pretrained network over the image."""
    images = keras.Input(data.input_shape, dtype="uint8", name=data.input_name)
    x = pretrained(jitter(layers.Rescaling(1.0)(images)))
    return images, layers.GlobalAveragePooling2D()(x)


def jitter(x):
    """Shift and rotate images at random, in training only."""
    x = layers.RandomTranslation(0.1, 0.1, fill_mode="constant")(x)
    return layers.RandomRotation(0.03, fill_mode="constant")(x)


def image(hp, data):
    """Stages of two convolutions that halve the image down to about 4 x 4.

    Images above 32 pixels are halved first, get fewer filters, and are averaged at the end.
    """
    inputs, edge = keras.Input(data.input_shape, dtype="uint8", name=data.input_name), 32
    large = min(data.input_shape[:2]) > edge
    x, widths = layers.Rescaling(1 / 255)(inputs), [16, 32] if large else [32, 64]
    filters = hp.Choice("filters", widths, default=widths[0])
    x = jitter(x)
    while min(x.shape[1:3]) > edge:
        x = convolution(x, layers.Conv2D, filters, 3, strides=2)
    for stage in range(max(2, round(math.log2(min(x.shape[1:3]))) - 1)):
        x = layers.MaxPooling2D()(x) if stage else x
        for _ in range(2):
            x = convolution(x, layers.Conv2D, min(2**stage * filters, 256), 3)
    return inputs, (layers.GlobalAveragePooling2D() if large else layers.Flatten())(x)


def frames(hp, data):
    """Cepstral coefficients of utterances of any length."""
    inputs = keras.Input((None, data.input_shape[-1]), name=data.input_name)
    return inputs, over_time(hp, inputs)


def waveform(hp, data):
    """Turn samples into 40 mel bands in decibels, one frame every 16 ms."""
    inputs = keras.Input(data.input_shape, name=data.input_name)
    x = layers.MelSpectrogram(
        fft_length=512,
        sequence_stride=256,
        sampling_rate=data.details.rate,
        num_mel_bins=40,
        min_power=1e-5,
        top_db=200,  # never reached: it is below the loudest sample of the batch
    )(inputs)
    return inputs, over_time(hp, layers.Permute((2, 1))(x))


def over_time(hp, x):
    """Convolutions over frames, and what they found: on average, and at most. Zeros are padding."""
    real = ops.cast(ops.any(ops.not_equal(x, 0), axis=-1, keepdims=True), x.dtype)
    filters = hp.Choice("filters", [64, 96], default=64)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.GaussianNoise(hp.Float("noise", 0.1, 0.3, default=0.2))(x)
    x = kcatalog.layers.VariationalDropout(0.05)(x)
    for width, kernel_size in ((1, 5), (2, 5), (1, 3)):
        x = convolution(x * real, layers.Conv1D, width * filters, kernel_size)
    mean = ops.sum(x * real, axis=1) / ops.maximum(ops.sum(real, axis=1), 1)
    return ops.concatenate([mean, ops.max(x * real, axis=1)], axis=-1)


def convolution(x, kind, filters, kernel_size, strides=1):
    """Convolution, batch normalization, rectifier."""
    x = kind(filters, kernel_size, strides, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


def loss(hp):
    """Losses that pull samples of a class together and push others away."""
    margin = hp.Float("margin", 0.2, 0.6, default=0.4)  # of triplets, 2 apart at most
    triplets = ["TripletSemiHard", "TripletHard", "TripletAll"]
    losses = [*triplets, "SupervisedContrastive", "MultiSimilarity"]
    fixed = {"margin": margin, "distance": "euclidean", "normalize": False}
    chosen = tuning.choose(hp, "loss", [f"kcatalog.losses.{name}" for name in losses], fixed)
    if isinstance(chosen, kcatalog.losses.TripletHard):
        chosen = SwitchedLoss(kcatalog.losses.TripletSemiHard(margin), chosen, epochs=EPOCHS // 6)
    return chosen


def optimizer(hp, data):
    """Adam's family with clipped gradients; the learning rate falls to nothing."""
    rate = keras.optimizers.schedules.CosineDecay(
        hp.Float("learning_rate", 1e-3, 6e-3, sampling="log", default=3e-3),
        decay_steps=EPOCHS * steps_per_epoch(data, BATCH_SIZE),
    )
    optimizers = ["keras.optimizers.AdamW", "keras.optimizers.Nadam"]
    return tuning.optimizer(hp, optimizers, fixed={"learning_rate": rate, "clipnorm": 1.0})


recipe = Recipe(
    "embedding_triplet",
    source,
    build,
    baseline=baselines.nearest_neighbour,
    epochs=EPOCHS,
    trial_epochs=15,
    batch_size=BATCH_SIZE,
)

if __name__ == "__main__":
    recipe.main()
