"""The base of layers that turn scores into probabilities, most of which are 0."""

from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.ops.precision import as_floats
from kcatalog.types import Shape, Tensor


class SparseProbabilities(keras.layers.Layer):
    """Base of `Sparsemax` and `Entmax15`: a part states `probabilities(z)`.

    Args:
        axis: The axis along which probabilities sum to 1, an integer in (-inf, inf).

    Shapes:
        Input `(batch, ...)`, output the same; the size of `axis` must be known. `mask` broadcasts
        to the input, or has its leading axes.

    Behaviour:
        Training and inference are the same. Deterministic. Half precision is computed in float32.
        As in `keras.layers.Softmax`, entries where `mask` is False get the probability 0 and do
        not count; where nothing is left, all are 0. A mask of steps is passed on.
    """

    def __init__(self, axis: int = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = checks.integer(self, "axis", axis, "(-inf, inf)")
        self.supports_masking = True

    def probabilities(self, z: Tensor) -> Tensor:
        """Return the probabilities of scores along `self.axis`."""
        raise NotImplementedError

    def build(self, input_shape: Shape) -> None:
        ndim = len(input_shape)
        if not -ndim <= self.axis < ndim:
            rule = f"a shape that has the axis {self.axis}"
            raise checks.error(self, "input_shape", rule, tuple(input_shape))
        checks.known_axis(self, input_shape, self.axis, "the scores")
        self.input_spec = keras.layers.InputSpec(ndim=ndim)

    def call(self, z: Tensor, mask: Tensor | None = None) -> Tensor:
        z = as_floats(z, self.compute_dtype)
        if mask is None:
            return self.probabilities(z)
        mask = ops.cast(mask, "bool")
        leads = len(mask.shape) < len(z.shape) and all(
            None in (m, n) or m == n for m, n in zip(mask.shape, z.shape, strict=False)
        )
        while leads and len(mask.shape) < len(z.shape):
            mask = ops.expand_dims(mask, -1)
        # a score so low has no probability, and rows of nothing else stay finite
        p = self.probabilities(ops.where(mask, z, ops.cast(-3e4, z.dtype)))
        return ops.where(mask, p, ops.zeros_like(p))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
