"""Corrections of moving averages that start at zero, and how many values they average."""

import math

from keras import ops

from kcatalog.types import Tensor


def one_minus_power(beta: float, t: Tensor) -> Tensor:
    """Return `1 - β^t`, the weight that an average of `t` values gives to them.

    Computed as `-expm1(t log β)`: for `β` near 1 the difference would lose its digits in float32,
    and `β` itself would lose them as a float32 tensor.

    Args:
        beta: `β`, a number in [0, 1).
        t: the number of values, a floating-point tensor of at least 1.

    >>> f"{float(one_minus_power(0.999, ops.convert_to_tensor(1.0))):.7f}"
    '0.0010000'
    """
    if beta == 0:
        return ops.ones_like(t)
    return -ops.expm1(t * math.log(beta))


def effective_length(beta: float, t: Tensor) -> Tensor:
    """Return `ρ = (1 + β)/(1 - β) - 2 t βᵗ/(1 - βᵗ)`, from 1 at the first value to its limit.

    A plain mean over `ρ` values would have their mean age in an average of `t` values with the
    decay `β`. The two terms of the formula are far larger than `ρ` at first, so in float32 their
    difference would be wrong by more than 1e-3 for `β = 0.9999`. Until `t` reaches half of
    `1 / (1 - β)` it is computed as `t (1 - L(y)) + L(a/2)`, with `a = -log β`, `y = a t / 2` and
    the series of `L(y) = coth(y) - 1/y`.

    Args:
        beta: `β`, a number in (0, 1).
        t: the number of values, a floating-point tensor of at least 1.

    >>> f"{float(effective_length(0.9999, ops.convert_to_tensor(5.0))):.5f}"
    '4.99960'
    """
    a = -math.log(beta)
    y, limit = a * t / 2, 1 / math.tanh(a / 2)
    y2 = y * y
    langevin = y * (1 / 3 - y2 * (1 / 45 - y2 * (2 / 945 - y2 * (1 / 4725 - y2 * (2 / 93555)))))
    return ops.where(y < 0.25, t - t * langevin + (limit - 2 / a), limit - 2 * t / ops.expm1(a * t))
