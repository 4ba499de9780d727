"""Ranks with ties and weights. A weight counts copies: a sample of weight 2 is two equal samples.

Everything is sorting and running sums: `O(n log n)`, and `O(n log² n)` for pairs in wrong order.
Samples of weight 0 leave no trace, so that the empty end of a buffer does no harm.
"""

from typing import Any

from keras import ops

from kcatalog.types import Tensor


def runs(w: Tensor, *values: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Each run of equal `values` (all of them sorted, with weights `w`) by its number.

    Returns:
        For each sample its run, `(n,)`; for each run its weight and the weight of all runs
        before it, `(n,)` each, zero and meaningless beyond the last run.
    """
    changes = sum(ops.cast(v[1:] != v[:-1], "int32") for v in values)
    run = ops.pad(ops.cumsum(ops.cast(changes > 0, "int32")), ((1, 0),))
    weight = ops.segment_sum(w, run, w.shape[0])
    return run, weight, ops.pad(ops.cumsum(weight)[:-1], ((1, 0),))


def centred_ranks(x: Tensor, w: Tensor) -> Tensor:
    """For each sample the weight below it less the weight above it, halved.

    That is its rank less the mean rank; equal samples share the mean of their ranks.

    >>> ops.convert_to_numpy(centred_ranks([5.0, 9.0, 5.0, 1.0], [1.0] * 4)).tolist()
    [0.0, 1.5, 0.0, -1.5]
    """
    x, w = ops.convert_to_tensor(x), ops.convert_to_tensor(w)
    order = ops.argsort(x)
    run, weight, below = runs(ops.take(w, order), ops.take(x, order))
    above = ops.flip(ops.cumsum(ops.flip(weight)))  # not the total less the others: it would round
    above = ops.pad(above[1:], ((0, 1),))
    return ops.take(ops.take(below - above, run) / 2, ops.argsort(order))


def different(x: Tensor, w: Tensor) -> Tensor:
    """Count the different values among samples of a weight above 0.

    >>> float(different([5.0, 9.0, 5.0, 1.0], [1.0, 1.0, 1.0, 0.0]))
    2.0
    """
    x, w = ops.convert_to_tensor(x), ops.convert_to_tensor(w)
    order = ops.argsort(x)
    _, weight, _ = runs(ops.take(w, order), ops.take(x, order))
    return ops.sum(ops.cast(weight > 0, w.dtype))


def pairs_apart(w: Tensor, values: Tensor) -> Tensor:
    """Σ w_i w_j over pairs of different value, from sorted `values`, without subtracting."""
    _, weight, before = runs(w, values)
    return ops.sum(weight * before)


def pairs_tied(w: Tensor, *values: Any) -> Tensor:
    """Σ w_i w_j over pairs that are equal in all of the sorted `values`."""
    _, weight, _ = runs(w, *values)
    return (ops.sum(weight * weight) - ops.sum(w * w)) / 2


def dense_ranks(x: Tensor) -> Tensor:
    """Each value by how many different values are smaller, int32.

    >>> ops.convert_to_numpy(dense_ranks([5.0, 9.0, 5.0, 1.0])).tolist()
    [1, 2, 1, 0]
    """
    x = ops.convert_to_tensor(x)
    order = ops.argsort(x)
    run, _, _ = runs(ops.ones_like(x), ops.take(x, order))
    return ops.take(run, ops.argsort(order))


def stable_argsort(rank: int) -> Tensor:
    """Return the stable order of whole numbers from 0 to below `n`.

    XLA's own sort does not promise that, so places in the row decide between equals; and as
    both in one int32 leave room for some digits only, the lowest are sorted by first.
    """
    n = rank.shape[0]
    place = ops.arange(n, dtype="int32")
    order, digits, step = place, 2**31 // n, 1
    while step < n:
        digit = ops.take(rank, order) // step % digits
        order = ops.take(order, ops.argsort(digit * n + place))
        step *= digits
    return order


def inversions(rank: int, w: Tensor) -> Tensor:
    """Σ w_i w_j over pairs `i < j` with `rank_i > rank_j`, by merging sorted halves.

    >>> float(inversions([2, 0, 1, 1], [1.0, 1.0, 1.0, 2.0]))
    4.0
    """
    rank, w = ops.convert_to_tensor(rank, "int32"), ops.convert_to_tensor(w)
    n = rank.shape[0]
    size = 1 << (n - 1).bit_length()
    half = min(size, 128)  # so far comparing all with all is cheaper
    rank = ops.reshape(ops.pad(rank, ((0, size - n),)), (-1, half))
    w = ops.reshape(ops.pad(w, ((0, size - n),)), (-1, half))
    wrong = ops.cast(rank[:, :, None] > rank[:, None, :], w.dtype)
    total = ops.sum(w[:, :, None] * w[:, None, :] * ops.triu(wrong))
    while half < size:
        rank, w = ops.reshape(rank, (-1, 2 * half)), ops.reshape(w, (-1, 2 * half))
        right = ops.cast(ops.arange(2 * half) >= half, "int32")
        key = 2 * rank + right  # of equals those on the left come first
        order = ops.argsort(key, axis=1)
        key, w = ops.take_along_axis(key, order, axis=1), ops.take_along_axis(w, order, axis=1)
        left = ops.where(key % 2 == 0, w, 0.0)
        greater = ops.sum(left, axis=1, keepdims=True) - ops.cumsum(left, axis=1)
        total = total + ops.sum((w - left) * greater)
        rank, half = key // 2, 2 * half
    return total


def kendall_pairs(x: Tensor, y: Tensor, w: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the sums of `w_i w_j` over pairs that Kendall's coefficients are made of.

    Returns:
        Concordant less discordant pairs, pairs that differ in `x`, and pairs that differ in `y`.

    >>> [float(v) for v in kendall_pairs([1.0, 2.0, 2.0], [1.0, 3.0, 2.0], [1.0] * 3)]
    [2.0, 2.0, 3.0]
    """
    x, y, w = dense_ranks(x), dense_ranks(y), ops.convert_to_tensor(w)
    by_y = ops.argsort(y)
    x, y, w = (ops.take(v, by_y) for v in (x, y, w))
    tied_y, apart_y = pairs_tied(w, y), pairs_apart(w, y)
    by_x_then_y = stable_argsort(x)
    x, y, w = (ops.take(v, by_x_then_y) for v in (x, y, w))
    tied_both, apart_x = pairs_tied(w, x, y), pairs_apart(w, x)
    apart_both = apart_x - (tied_y - tied_both)
    return apart_both - 2 * inversions(y, w), apart_x, apart_y
