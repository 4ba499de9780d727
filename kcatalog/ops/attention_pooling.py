"""Attention with few queries, which needs neither keys nor values."""

import math

import keras
from keras import ops

from kcatalog.types import Tensor


def attention_pooling(
    x: Tensor, q: Tensor, W_k: Tensor, W_v: Tensor, b_v: Tensor, real: Tensor | None = None
) -> Tensor:
    """Return `softmax(q kᵀ / √d) v` for the keys `k = x W_k` and values `v = x W_v + b_v`.

    `q (x W_k)ᵀ = (q W_kᵀ) xᵀ` and `a (x W_v) = (a x) W_v`, so keys and values are never computed:
    with `Q` queries and `n` heads that is `Q n` products of features a step in place of twice as
    many as there are features. A bias of the keys would cancel in the softmax.

    Args:
        x: Steps, `(batch, steps, features)`.
        q: Queries, `(queries, heads, d)`, or with a batch axis before.
        W_k: Kernel of the keys, `(features, heads, d)`.
        W_v: Kernel of the values, `(features, heads, d)`.
        b_v: Bias of the values, `(heads, d)`, or None.
        real: Mask of the steps that count, `(batch, steps)`, or None. Where none does the weighted
            mean is 0.

    Returns:
        `(batch, queries, heads, d)`.
    """
    b = "b" if len(q.shape) == 4 else ""
    u = ops.einsum(f"{b}qnd,fnd->{b}qnf", q * ops.cast(1 / math.sqrt(q.shape[-1]), q.dtype), W_k)
    scores = ops.einsum(f"bsf,{b}qnf->bqns", x, u)
    scores = ops.cast(scores, keras.backend.result_type(x.dtype, "float32"))
    if real is not None:
        real = ops.cast(real, "bool")[:, None, None]
        scores = ops.where(real, scores, -1e30)
    # ops.softmax would warn of a single step
    a = ops.exp(scores - ops.logsumexp(scores, axis=-1, keepdims=True))
    if real is not None:
        a = ops.where(real, a, 0)
        x = ops.where(real[:, 0, 0, :, None], x, 0)  # 0 times NaN is NaN
    pooled = ops.einsum("bqns,bsf->bqnf", ops.cast(a, x.dtype), x)
    y = ops.einsum("bqnf,fnd->bqnd", pooled, W_v)
    return y if b_v is None else y + b_v
