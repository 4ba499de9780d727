"""Weights of what metrics count."""

from typing import Any

import keras
from keras import ops

from kcatalog.ops.targets import like
from kcatalog.types import Tensor


class Weights:
    """Weights of a batch: called with what is counted, it returns them in its shape.

    Metrics sort, compare and look for the largest, which hides a NaN. So the weight of what had
    one is NaN: every sum over weights shows it.

    Attributes:
        mask: The mask of the predictions, or None. Where it has more axes than what is counted
            (steps of a sample that counts as a whole) the metric itself has to use it.

    >>> weights = Weights("Doc", [1.0, 2.0], None, ops.convert_to_tensor([[1.0], [float("nan")]]))
    >>> ops.convert_to_numpy(weights(ops.zeros((2, 2)))).tolist()
    [[1.0, 1.0], [nan, nan]]
    """

    def __init__(self, owner: object, sample_weight: Tensor, mask: Tensor, *compared: Any):
        self.mask = mask
        self._owner, self._sample_weight = owner, sample_weight
        self._floats = [x for x in compared if _is_float(x)]

    def __call__(self, values: Tensor, wrong: Tensor | None = None) -> Tensor:
        """Return the weights of `values`, float32; NaN also where `wrong` is True."""
        w, mask, rank = ops.ones_like(values, dtype="float32"), self.mask, len(values.shape)
        if self._sample_weight is not None:
            w = ops.cast(self._sample_weight, "float32")
            w = like(self._owner, "sample_weight", w, values)
        if mask is not None:
            while len(mask.shape) > rank and mask.shape[-1] == 1:
                mask = ops.squeeze(mask, -1)
            if len(mask.shape) <= rank:
                w = ops.where(like(self._owner, "mask", mask, values), w, 0.0)
        found = [self._has_nan(x, rank) for x in self._floats]
        for nan in found if wrong is None else [*found, _of_rank(wrong, rank)]:
            w = ops.where(ops.logical_and(nan, w != 0), float("nan"), w)
        return w

    def _has_nan(self, x, rank):
        """Return whether each of the values, which have `rank` axes, was made from a NaN."""
        steps = 0 if self.mask is None else len(self.mask.shape)
        ndim = steps if rank < steps <= len(x.shape) else rank
        if len(x.shape) > ndim:  # squares never cancel; looking at each takes three times as long
            x = ops.sum(ops.square(x), axis=tuple(range(ndim, len(x.shape))))
        nan = ops.isnan(x)
        if ndim > rank and tuple(nan.shape)[1:] == tuple(self.mask.shape)[1:]:
            nan = ops.logical_and(nan, self.mask)
        return _of_rank(nan, rank)


def without_nan(x: Tensor) -> Tensor:
    """Return `x` with 0 for NaN.

    >>> [float(v) for v in without_nan(ops.convert_to_tensor([2.0, float("nan")]))]
    [2.0, 0.0]
    """
    return ops.where(ops.isnan(x), ops.zeros_like(x), x) if _is_float(x) else x


def _is_float(x):
    return "float" in keras.backend.standardize_dtype(x.dtype)


def _of_rank(found, rank):
    if len(found.shape) > rank:
        found = ops.any(found, axis=tuple(range(rank, len(found.shape))))
    while len(found.shape) < rank:
        found = ops.expand_dims(found, -1)
    return found
