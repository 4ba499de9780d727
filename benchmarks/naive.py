"""Layers of kcatalog written naively, from Keras's layers and operations, for `layers.py`.

Each is what a user would write who follows the formula word by word.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
from keras import layers, ops

from kcatalog import layers as ours

IMAGE = (56, 56, 64)


@dataclasses.dataclass(frozen=True)
class Case:
    """A layer, the function that is its naive form, and the shapes of one sample."""

    ours: Callable
    naive: Callable
    shapes: tuple = (IMAGE,)


def squeeze_excite(x):
    channels = x.shape[-1]
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Dense(channels // 16, "relu")(gate)
    return layers.Multiply()([x, layers.Dense(channels, "sigmoid")(gate)])


def blur_pooling2d(x):
    k = np.array([1.0, 2.0, 1.0]) / 4
    kernel = np.tile(np.outer(k, k)[:, :, None, None], (1, 1, x.shape[-1], 1))
    x = ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="reflect")
    blur = layers.DepthwiseConv2D(
        3, 2, use_bias=False, trainable=False, depthwise_initializer=lambda *_, **__: kernel
    )
    return blur(x)


def generalized_mean_pooling2d(x):
    return ops.mean(ops.maximum(x, 1e-6) ** 3.0, axis=(1, 2)) ** (1 / 3.0)


CASES = {
    "SqueezeExcite": Case(lambda: ours.SqueezeExcite(), squeeze_excite),
    "BlurPooling2D": Case(lambda: ours.BlurPooling2D(), blur_pooling2d),
    "GeneralizedMeanPooling2D": Case(
        lambda: ours.GeneralizedMeanPooling2D(learnable=False), generalized_mean_pooling2d
    ),
    "StochasticDepth": Case(
        lambda: ours.StochasticDepth(0.2), layers.Dropout(0.2, noise_shape=(None, 1, 1, 1))
    ),
}
