"""A tiny recipe on a folder of images: red cats, blue dogs."""

from pathlib import Path

import keras
import numpy as np
from PIL import Image

from kcatalog.recipe import Recipe
from kcatalog.recipe.data import Images

SIZE = 8


def draw(folder: Path, count: int = 30, size: int = 10) -> Path:
    """Noisy pictures of both classes, PNG and JPEG in turn."""
    rng = np.random.default_rng(0)
    for channel, name in ((0, "cats"), (2, "dogs")):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            pixels = rng.integers(0, 120, (size, size, 3))
            pixels[..., channel] += 80
            suffix = "png" if i % 2 else "jpg"
            Image.fromarray(pixels.astype("uint8")).save(folder / name / f"{i:04}.{suffix}")
    return folder


def build(hp, data):
    """The mean colour of each quarter, dropout, a dense layer."""
    inputs = keras.Input(data.input_shape, dtype="uint8", name=data.input_name)
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Flatten()(keras.layers.AveragePooling2D(SIZE // 2)(x))
    x = keras.layers.Dropout(hp.Choice("dropout", [0.1, 0.2]))(x)
    model = keras.Model(inputs, keras.layers.Dense(len(data.classes), dtype="float32")(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.05), loss, metrics=["accuracy"], jit_compile=False)
    return model


def baseline(data):
    """Always the first class."""
    return "always cats", float(np.mean(data.test[1] == 0))


recipe = Recipe(
    "tiny_folder", Images(size=SIZE), build, baseline, epochs=4, trials=1, trial_epochs=2,
    batch_size=4,
)  # fmt: skip
