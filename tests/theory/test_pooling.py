"""Theory of pooling: how much of a class score a shift by one pixel leaves."""

import keras
import numpy as np
from keras import ops

from kcatalog import layers

DOWNSAMPLING = {
    "strided": lambda: [keras.layers.MaxPooling2D(1, 2)],
    "maximum": lambda: [keras.layers.MaxPooling2D(2, 2)],
    "blurred maximum": lambda: [
        keras.layers.MaxPooling2D(2, 1, "same"),
        layers.BlurPooling2D(5, padding="constant"),
    ],
}


def scores(x, downsampling):
    """Score images with a random network of three stages, each of which halves the image."""
    for stage in range(3):
        channels = x.shape[-1]  # numbers of NumPy, which are the same on each backend
        W = (
            np.random.default_rng(stage).normal(size=(3, 3, channels, 8))
            * (2 / 9 / channels) ** 0.5
        )
        x = ops.relu(ops.conv(x, W.astype("float32"), padding="same"))
        for layer in DOWNSAMPLING[downsampling]():
            x = layer(x)
    w = np.random.default_rng(5).normal(size=8)
    return ops.convert_to_numpy(ops.mean(x, axis=(1, 2))) @ w


def test_pooling_makes_scores_stable_under_shifts():
    """A shift of an object by one pixel changes its score, in deviations of scores among objects.

    By 1.07 with strides alone, by 0.84 with max pooling, by 0.16 with max pooling and a blur.
    """
    rng = np.random.default_rng(3)
    images = np.zeros((48, 48, 48, 1), "float32")
    images[:, 18:30, 18:30] = rng.normal(size=(48, 12, 12, 1))
    change = {}
    for name in DOWNSAMPLING:
        score = scores(images, name)
        moved = [scores(np.roll(images, 1, axis), name) for axis in (1, 2)]
        change[name] = np.abs(np.array(moved) - score).mean() / score.std()
    assert change["maximum"] < 0.9 * change["strided"]
    assert change["blurred maximum"] < 0.25 * change["maximum"]
