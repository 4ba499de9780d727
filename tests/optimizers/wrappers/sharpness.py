"""Sharpness-aware minimization written from the paper, one number at a time."""

import math

import keras
import numpy as np

LR, MOMENTUM, RADIUS = 2**-4, 0.75, 2**-3


def inner():
    return keras.optimizers.SGD(LR, momentum=MOMENTUM)


def step_uphill(weights, gradients, scale=lambda w: 1.0):
    """Return `w + ρ T² g / ‖T g‖`."""
    square = 0.0
    for w, g in zip(weights, gradients, strict=True):
        square += sum((scale(a) * b) ** 2 for a, b in zip(w.ravel(), g.ravel(), strict=True))
    norm = math.sqrt(square)
    return [
        np.array(
            [
                a + RADIUS * scale(a) ** 2 * b / norm
                for a, b in zip(w.ravel(), g.ravel(), strict=True)
            ]
        ).reshape(w.shape)
        for w, g in zip(weights, gradients, strict=True)
    ]


def reference(scale):
    """Return `step_of` for `problems.paths`: SAM with `T = scale(w)` around SGD with momentum."""

    def step_of(start):
        weights, velocities = start, [np.zeros_like(w) for w in start]

        def step(gradients):
            nonlocal weights, velocities
            second = gradients(step_uphill(weights, gradients(weights), scale))
            velocities = [MOMENTUM * v - LR * g for v, g in zip(velocities, second, strict=True)]
            weights = [w + v for w, v in zip(weights, velocities, strict=True)]
            return weights

        return step

    return step_of
