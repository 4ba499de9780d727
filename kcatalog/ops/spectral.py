"""Singular values of kernels by matrix products alone.

TensorFlow's XLA compiles a singular value decomposition in many seconds and runs it slower than
eager code by orders of magnitude. Products compile on every backend and every device.
"""

from collections.abc import Callable

import numpy as np
from keras import ops

from kcatalog import checks
from kcatalog.ops.distances import unit_rows
from kcatalog.ops.norms import scaled_norm, unit
from kcatalog.ops.precision import at_least_float32
from kcatalog.types import Tensor


def as_matrix(owner: object, w: Tensor) -> Tensor:
    """Return a kernel as a matrix `(all input axes, output units)` of at least float32."""
    W = at_least_float32(w)
    if len(W.shape) < 2:
        shape = tuple(W.shape)
        raise checks.error(owner, "shape", "a kernel's (..., units)", shape, "Not for biases.")
    return ops.reshape(W, (-1, W.shape[-1]))


def tall(W: Tensor) -> Tensor:
    """Return a matrix, or its transpose if it has more columns than rows."""
    W = ops.convert_to_tensor(W)
    return W if W.shape[0] >= W.shape[1] else ops.transpose(W)


def gram_less_identity(W: Tensor) -> Tensor:
    """Return `Wᵀ W - I`, or `W Wᵀ - I` if that is smaller: 0 for orthonormal units or rows.

    >>> bool(ops.max(ops.abs(gram_less_identity(ops.eye(2, 3)))) == 0)
    True
    """
    W = tall(W)
    gram = ops.matmul(ops.transpose(W), W)
    return gram - ops.eye(W.shape[1], dtype=gram.dtype)


def power_iteration(
    product: Callable[[Tensor], Tensor], size: int, iterations: int, dtype: str
) -> Tensor:
    """Return a vector of length 1 after so many steps `v ← product(v) / ‖product(v)‖`.

    The start is the same pseudo-random vector each time: no state is kept, and no structure
    of a kernel is orthogonal to it.

    Args:
        product: the product of a symmetric matrix with a vector of this size.
    """
    v = ops.convert_to_tensor(np.random.default_rng(0).normal(size=size), dtype)
    for _ in range(iterations):
        v = unit_rows(product(v)[None])[0]
    return v


def norm_bound(W: Tensor, squarings: int = 12) -> Tensor:
    """Return an upper bound of the largest singular value, up to rounding.

    The Schatten norm `(Σ σᵢ²ᵖ)^(1 / 2p)` with `p` = 2^`squarings`, by squaring the Gram matrix. It
    exceeds the largest of `n` singular values by a factor of `n^(1 / 2p)` at most, 1.001 for
    `n` = 1000.

    >>> f"{float(norm_bound(ops.convert_to_tensor([[3.0, 0.0], [0.0, 4.0]]))):.3f}"
    '4.000'
    """
    W = tall(W)
    m, _ = scaled_norm(W)
    half = ops.rsqrt(m)
    W = W * half * half
    P = ops.matmul(ops.transpose(W), W)
    log_bound = 0.0
    for i in range(squarings + 1):
        P = ops.matmul(P, P) if i else P
        trace = ops.trace(P)
        trace = ops.where(trace == 0, 1.0, trace)
        log_bound = log_bound + ops.log(trace) / 2**i
        P = P / trace
    return m[0, 0] * ops.where(ops.max(P) == 0, 0.0, ops.exp(log_bound / 2))


def polar_factor(W: Tensor) -> Tensor:
    """Return the matrix with orthonormal columns (or rows, of a wide matrix) nearest to `W`.

    By Newton's and Schulz's `X ← (3 X - X Xᵀ X) / 2`, which takes each singular value to 1. Steps
    of a larger scale come first: they multiply small singular values by 2.3 instead of 1.5,
    and none falls below 0.5 again.

    >>> [[round(float(x), 4) for x in row] for row in polar_factor(2.0 * ops.eye(2))]
    [[1.0, 0.0], [0.0, 1.0]]
    """
    X, wide = tall(W), W.shape[0] < W.shape[1]
    X = unit(X)  # singular values from 0 to 1
    for scale in [1.53] * 16 + [1.0] * 7:
        X = scale * X
        X = 1.5 * X - 0.5 * ops.matmul(X, ops.matmul(ops.transpose(X), X))
    return ops.transpose(X) if wide else X
