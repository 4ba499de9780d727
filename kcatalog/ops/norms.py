"""Euclidean norms whose squares neither overflow nor vanish."""

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
