"""Euclidean norms whose squares neither overflow nor vanish."""

import keras
from keras import ops

from kcatalog.ops.precision import at_least_float32
from kcatalog.types import Tensor


def scaled_norm(x: Tensor, axis: int | tuple[int, ...] | None = None) -> tuple[Tensor, Tensor]:
    """Return `m` and `r` with `‖x‖ = m r` over `axis`, whose size is 1 in both.

    `m` is the largest magnitude, or 1 where all are 0, and has no gradient. `r` lies between 1 and
    the square root of the number of entries, or is 0, with the gradient 0. The product overflows
    only where the norm does. Half precision is computed in float32. For `x / ‖x‖` use `unit`:
    XLA computes `x / m` as `x (1 / m)`, which may vanish.

    >>> m, r = scaled_norm(ops.convert_to_tensor([3e30, 4e30]))
    >>> print(f"{float(m[0]):.1e} {float(r[0]):.2f}")
    4.0e+30 1.25
    """
    x = at_least_float32(x)
    axis = tuple(range(len(x.shape))) if axis is None else axis
    m = ops.stop_gradient(ops.max(ops.abs(x), axis=axis, keepdims=True, initial=0.0))
    m = ops.where(m == 0, 1.0, m)  # so written that a NaN stays one
    half = ops.rsqrt(m)  # by halves: XLA divides by multiplying with 1 / m, which may vanish
    square = ops.sum(ops.square(x * half * half), axis=axis, keepdims=True)
    zero = square == 0
    return m, ops.where(zero, 0.0, ops.sqrt(ops.where(zero, 1.0, square)))


def unit(x: Tensor, axis: int | tuple[int, ...] | None = None) -> Tensor:
    """Return `x / ‖x‖` with the norm over `axis`, or 0 where that is 0, in at least float32.

    >>> [round(float(v), 4) for v in unit(ops.convert_to_tensor([3e38, -3e38]))]
    [0.7071, -0.7071]
    """
    m, r = scaled_norm(x, axis)
    half = ops.rsqrt(m)  # by halves, as above
    return at_least_float32(x) * half * half / ops.where(r == 0, 1.0, r)


def norms_of_groups(tensors: list[Tensor], axes: list[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
    """Return vectors `m` and `r` with the norms `m r` of the groups of several tensors.

    A group lies over a tensor's axes. Squares are added up as they are, which takes one reading;
    only if a sum overflows, all norms are those of `scaled_norm`. A norm below 1e-22 may become 0.

    >>> m, r = norms_of_groups([ops.array([[3.0], [4.0]]), ops.array([2.0])], [(0,), (0,)])
    >>> [float(v) for v in m * r]
    [5.0, 2.0]
    """
    tensors = [at_least_float32(x) for x in tensors]
    dtypes = {keras.backend.standardize_dtype(x.dtype) for x in tensors}
    dtype = "float64" if "float64" in dtypes else "float32"
    pairs = list(zip(tensors, axes, strict=True))

    def joined(vectors):
        return ops.concatenate([ops.reshape(ops.cast(v, dtype), (-1,)) for v in vectors])

    squares = joined([ops.sum(ops.square(x), axis=axis) for x, axis in pairs])

    def plain():
        return ops.ones_like(squares), ops.sqrt(squares)

    def scaled():
        m, r = zip(*(scaled_norm(x, axis) for x, axis in pairs), strict=True)
        return joined(m), joined(r)

    return ops.cond(ops.isfinite(ops.sum(squares)), plain, scaled)


def total(x: Tensor) -> Tensor:
    """Return the sum of all entries: over the leading axes first, which XLA computes in vectors.

    >>> float(total(ops.ones((2, 3))))
    6.0
    """
    rank = len(x.shape)
    return ops.sum(ops.sum(x, axis=tuple(range(rank - 1)))) if rank > 1 else ops.sum(x)


def norm(x: Tensor) -> Tensor:
    """Return the norm of a whole tensor, which overflows only where the norm itself does.

    >>> print(f"{float(norm(ops.convert_to_tensor([[3e30, 4e30]]))):.1e}")
    5.0e+30
    """
    m, r = scaled_norm(x)
    return ops.reshape(m * r, ())


def absolute(x: Tensor) -> Tensor:
    """Return `|x|`, whose gradient at 0 is 0 on every backend; JAX's is 1.

    >>> [float(v) for v in absolute(ops.convert_to_tensor([-2.0, 0.0]))]
    [2.0, 0.0]
    """
    return ops.where(x == 0, 0.0, ops.abs(x))  # so written that a NaN stays one
