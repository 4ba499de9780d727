"""Regularizers and constraints with one fault each, and the checks that have to find it."""

import keras
from keras import ops

from kcatalog.card import Example
from tests.conformance.broken_parts import broken

KERNEL = {"example": Example(shape=(4, 3))}


@broken("squares_representable-float32", "squares_representable-float16", **KERNEL)
class SquaresTheWeight(keras.regularizers.Regularizer):
    """Takes a norm whose squares overflow."""

    def __call__(self, w):
        return ops.sqrt(ops.sum(ops.square(w)))


@broken("nan_stays", **KERNEL)
class HidesNaN(keras.constraints.Constraint):
    """Takes the other side where a comparison with NaN is false."""

    def __call__(self, w):
        return ops.where(w > 0, w, 0.0)
