"""Sampling of tokens: which may be drawn (temperature, top-k, top-p), and the draw."""

import numpy as np
from keras import ops

from kcatalog.ops.precision import at_least_float32
from kcatalog.types import Tensor

NEVER = float(np.finfo("float32").min) / 2  # a logarithm of zero that can still be added to


def keep_top_k(logits: Tensor, k: int) -> Tensor:
    """Leave the `k` largest logits as they are; the others become the logits of never.

    Equal logits count in the order in which they stand.

    >>> kept = keep_top_k(ops.convert_to_tensor([[1.0, 3.0, 2.0, 2.0]]), 2)
    >>> (ops.convert_to_numpy(kept)[0] > NEVER).tolist()
    [False, True, True, False]
    """
    return ops.where(_rank(logits) < k, logits, NEVER)


def keep_top_p(logits: Tensor, p: Tensor) -> Tensor:
    """Leave the fewest largest logits whose probabilities add up to at least `p` (Holtzman 2020).

    >>> logits = ops.log(ops.convert_to_tensor([[0.5, 0.3, 0.1, 0.1]]))
    >>> (ops.convert_to_numpy(keep_top_p(logits, 0.7))[0] > NEVER).tolist()
    [True, True, False, False]
    """
    probabilities = ops.softmax(at_least_float32(logits), axis=-1)
    order = ops.argsort(-probabilities, axis=-1)
    ordered = ops.take_along_axis(probabilities, order, axis=-1)
    before = ops.cumsum(ordered, axis=-1) - ordered  # of those more probable
    kept = ops.take_along_axis(ops.less(before, p), ops.argsort(order, axis=-1), axis=-1)
    return ops.where(kept, logits, NEVER)


def draw(logits: Tensor, uniform: Tensor) -> Tensor:
    """Return the ids at which the distribution of `logits` passes `uniform`, from [0, 1).

    >>> logits = ops.log(ops.convert_to_tensor([[0.5, 0.3, 0.2]] * 3))
    >>> ops.convert_to_numpy(draw(logits, ops.convert_to_tensor([0.1, 0.6, 0.9]))).tolist()
    [0, 1, 2]
    """
    passed = ops.cumsum(ops.softmax(at_least_float32(logits), axis=-1), axis=-1)
    mark = ops.cast(uniform, passed.dtype) * passed[..., -1]
    ids = ops.sum(ops.cast(passed <= ops.expand_dims(mark, -1), "int32"), axis=-1)
    return ops.minimum(ids, logits.shape[-1] - 1)


def _rank(logits):
    """Return the place of each logit among them, from 0 for the largest."""
    return ops.argsort(ops.argsort(-logits, axis=-1), axis=-1)
