"""Scaled dot-product attention of several heads."""

import math
from collections.abc import Callable

import keras
from keras import ops

from kcatalog.types import Tensor


def attend(
    q: Tensor,
    k: int,
    v: Tensor,
    start: int = 0,
    real: Tensor | None = None,
    allowed: Tensor | None = None,
    causal: bool = False,
    bias: Tensor | None = None,
    drop: Callable[..., Tensor] | None = None,
) -> Tensor:
    """Return `softmax(q kᵀ / √d + bias) v`, `(batch, T, heads, d)`.

    A query that may attend to nothing, as in a row of padding only, attends to everything: its
    result has no meaning, but it is finite.

    Args:
        q: Queries, `(batch, T, heads, d)`; query `t` has the position `start + t`.
        k: Keys, `(batch, S, heads, d)`; key `s` has the position `s`.
        v: Values, `(batch, S, heads, d)`.
        start: Position of the first query.
        real: Mask of the keys that are no padding, `(batch, S)`, or None.
        allowed: Mask of pairs, `(T, S)`, `(batch, T, S)` or `(batch, heads, T, S)`, or None.
        causal: Whether a query attends only to its own position and those before.
        bias: Numbers to add to the scores, broadcastable to `(batch, heads, T, S)`, or None.
        drop: Function applied to the weights, for dropout. Without, Keras's fused kernel is used.
    """
    scale = 1 / math.sqrt(q.shape[-1])
    plain = drop is None and _fused(q) and bias is None and real is None and allowed is None
    if plain and (not causal or (isinstance(start, int) and start == 0)):  # needs no mask made
        return ops.dot_product_attention(q, k, v, scale=scale, is_causal=causal)
    mask = _mask(q, k, start, real, allowed, causal)
    if drop is None and _fused(q):
        if bias is not None and mask is not None:  # PyTorch's kernel takes one of them
            bias, mask = ops.where(mask, bias, _least(bias.dtype)), None
        return ops.dot_product_attention(q, k, v, bias, mask, scale)
    scores = ops.einsum("btnd,bsnd->bnts", q * ops.cast(scale, q.dtype), k)
    scores = ops.cast(scores, keras.backend.result_type(q.dtype, "float32"))
    if bias is not None:
        scores = scores + ops.cast(bias, scores.dtype)
    if mask is not None:
        scores = ops.where(mask, scores, _least(scores.dtype))
    weights = ops.cast(ops.softmax(scores), v.dtype)
    return ops.einsum("bnts,bsnd->btnd", weights if drop is None else drop(weights), v)


def _fused(q):
    """Return whether Keras's kernel takes a dtype: that of JAX has no float16 on CPUs."""
    half = keras.backend.standardize_dtype(q.dtype) == "float16"
    return not (half and keras.backend.backend() == "jax")


def _mask(q, k, start, real, allowed, causal):
    """Return which keys each query attends to, broadcastable to `(batch, heads, T, S)`, or None."""
    masks = []
    if real is not None:
        masks.append(ops.cast(real, "bool")[:, None, None])
    if allowed is not None:
        axes = {2: (0, 1), 3: 1}.get(len(allowed.shape), ())
        masks.append(ops.expand_dims(ops.cast(allowed, "bool"), axes))
    if causal:
        queries = start + ops.arange(ops.shape(q)[1])
        masks.append(ops.arange(ops.shape(k)[1])[None] <= queries[:, None])
    if not masks:
        return None
    mask = masks[0]
    for other in masks[1:]:
        mask = ops.logical_and(mask, other)
    return ops.logical_or(mask, ops.logical_not(ops.any(mask, axis=-1, keepdims=True)))


def _least(dtype):
    """Return a number far below any score, which a dtype still holds."""
    return ops.cast(-3e4 if keras.backend.standardize_dtype(dtype) == "float16" else -1e30, dtype)
