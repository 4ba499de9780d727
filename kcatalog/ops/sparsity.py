"""Groups of weights, and the thresholds that set weights or groups to exactly zero."""

from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.ops.norms import scaled_norm
from kcatalog.types import Tensor


def groups_of(owner: object, w: Tensor, axis: int, group_size: int = 1) -> Tensor:
    """Return a weight as a matrix `(groups, entries)`.

    A group is what lies at `group_size` consecutive indices of `axis`.

    >>> w = ops.reshape(ops.arange(8.0), (2, 4))
    >>> [int(v) for v in groups_of("GroupLasso", w, axis=-1, group_size=2)[0]]
    [0, 4, 1, 5]
    """
    shape = tuple(w.shape)
    if not -len(shape) <= axis < len(shape):
        raise checks.error(owner, "axis", f"an axis of the weight, which has shape {shape}", axis)
    if shape[axis] % group_size:
        rule = f"a divisor of {shape[axis]}, the size of axis {axis} of the weight"
        raise checks.error(owner, "group_size", rule, group_size)
    return ops.reshape(ops.moveaxis(w, axis, 0), (shape[axis] // group_size, -1))


def group_penalty(groups: Any) -> Tensor:
    """Return `Σ_g √p ‖w_g‖` of a matrix `(groups, p)`; a group of zeros has gradient zero."""
    m, r = scaled_norm(groups, axis=1)
    return groups.shape[1] ** 0.5 * ops.sum(m * r)


def soft_threshold(w: Tensor, t: Tensor) -> Tensor:
    """Return `sign(w) max(|w| - t, 0)`, the proximal operator of `t |w|`.

    >>> [float(v) for v in soft_threshold(ops.convert_to_tensor([3.0, 0.5, -2.0]), 1.0)]
    [2.0, 0.0, -1.0]
    """
    w = ops.convert_to_tensor(w)
    return w - ops.clip(w, -t, t)


def group_soft_threshold(w: Tensor, t: Tensor, axis: int) -> Tensor:
    """Return `w max(1 - t / ‖w‖, 0)` with the norm over `axis`, the proximal operator of `t ‖w‖`.

    >>> [float(v) for v in group_soft_threshold(ops.convert_to_tensor([3.0, 4.0]), 2.5, axis=0)]
    [1.5, 2.0]
    """
    w = ops.convert_to_tensor(w)
    m, r = scaled_norm(w, axis=axis)
    norm = m * r
    zero = norm == 0  # a NaN is not, and stays one
    return w * ops.relu(1 - t / ops.where(zero, 1.0, norm))
