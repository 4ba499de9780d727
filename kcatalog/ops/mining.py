"""Triplets of a batch, counted without ever holding a (batch, batch, batch) tensor.

A triplet loss is a sum of `m + D(a, p) - D(a, n)` over some triplets. So it is linear in the
distances: all that has to be known of the triplets is how often each distance occurs, with
a plus where its sample is the positive and a minus where it is the negative. The functions here
count, in integers; `triplet_sums` multiplies, and its gradient is the counts themselves.

References are the samples that an anchor is compared with; anchors are the first of them.
"""

from keras import ops

from kcatalog.ops.sorting import count_below, sort_rows
from kcatalog.types import Tensor

INF = float("inf")
SMALL = 128  # references up to which one positive at a time is always fast enough
FEW = 16  # samples a class up to which it is faster than sorting
BLOCK = 256  # anchors counted at a time, so that they stay in the cache


def same_class(labels: Tensor, anchors: int | None = None) -> Tensor:
    """`(anchors, references)`: whether two samples have the same label. `labels`: `(references,)`.

    >>> int(ops.sum(ops.cast(same_class(ops.convert_to_tensor([1, 1, 2])), "int32")))
    5
    """
    return ops.equal(labels[:anchors, None], labels[None, :])


def positive_pairs(labels: Tensor, anchors: int | None = None) -> Tensor:
    """`(anchors, references)`: whether two different samples have the same label.

    >>> int(ops.sum(ops.cast(positive_pairs(ops.convert_to_tensor([1, 1, 2])), "int32")))
    2
    """
    same = same_class(labels, anchors)
    place = ops.arange(ops.shape(labels)[0], dtype="int32")
    return ops.logical_and(same, place[:anchors, None] != place[None, :])


def triplet_sums(D: Tensor, counts: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """`Σ (margin + D(a, p) - D(a, n))` of each anchor over its counted triplets.

    Args:
        D: `(anchors, references)` distances.
        counts: of the same shape, as `all_triplets` and `semi_hard_triplets` give them.

    Returns:
        `(anchors,)` sums, and `(anchors,)` numbers of triplets.

    >>> D, counts = ops.convert_to_tensor([[[0.0, 2.0, 1.0]], [[0.0, 1.0, -1.0]]])
    >>> [float(x[0]) for x in triplet_sums(D, counts, margin=0.5)]
    [1.5, 1.0]
    """
    counts = ops.stop_gradient(counts)
    triplets = ops.sum(ops.relu(counts), axis=1)
    # counts of an anchor sum to 0, so a shift changes nothing but the rounding
    shift = ops.stop_gradient(ops.mean(D, axis=1, keepdims=True))
    return margin * triplets + ops.sum(counts * (D - shift), axis=1), triplets


def all_triplets(D: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Count how often each distance occurs among triplets with `D(a, n) < D(a, p) + margin`.

    Args:
        D: `(anchors, references)` distances, anchors by row. No gradient flows through.
        labels: `(references,)`.
        margin: a number.

    Returns:
        `(anchors, references)`: `+` for a positive, the number of negatives it is violated by;
        `-` for a negative, the number of positives it violates.

    >>> D = ops.convert_to_tensor([[0.0, 2.0, 1.0, 3.0]])
    >>> [int(n) for n in all_triplets(D, ops.convert_to_tensor([7, 7, 8, 8]), margin=0.5)[0]]
    [0, 1, -1, 0]
    """

    def violated(D_n):
        return lambda d_p: ops.cast(D_n < d_p + margin, D.dtype)

    return _count(D, labels, violated, lambda d, same: _all_of_many(d, same, margin))


def semi_hard_triplets(D: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Count how often each distance occurs among FaceNet's semi-hard triplets with a loss.

    Each anchor-positive pair has one negative: the closest that is strictly farther from the
    anchor than the positive is, or the farthest where none is. Equally far negatives share it. The
    triplet counts where `D(a, n) < D(a, p) + margin`.

    Args and returns as in `all_triplets`.

    >>> D = ops.convert_to_tensor([[0.0, 2.0, 1.0, 3.0]])
    >>> [int(n) for n in semi_hard_triplets(D, ops.convert_to_tensor([7, 7, 8, 8]), 2.0)[0]]
    [0, 1, 0, -1]
    """

    def chosen(D_n):
        farthest = ops.max(ops.where(D_n < INF, D_n, -INF), axis=1, keepdims=True)

        def of(d_p):
            d_n = ops.min(ops.where(D_n > d_p, D_n, INF), axis=1, keepdims=True)
            d_n = ops.where(d_n < INF, d_n, farthest)
            nearest = ops.cast(D_n == d_n, D.dtype)
            counts = ops.cast(d_n < d_p + margin, D.dtype)
            return nearest * counts / ops.maximum(ops.sum(nearest, axis=1, keepdims=True), 1.0)

        return of

    return _count(D, labels, chosen, lambda d, same: _semi_hard_of_many(d, same, margin))


def _count(D, labels, negatives_of, of_many):
    """Count triplets in blocks of anchors that fit the cache, some positives at a time.

    Pass `c` takes the `width` next positives of every anchor. Where classes are small that is
    one, and a pass reads the distances a few times: `O(P batch²)` time for `P` samples a class.
    Where they are large it is up to a sixth of the batch: the pass sorts the positives and looks
    up between which two of them each negative falls, `O(batch² log² batch)` for all of them.
    """
    D = ops.stop_gradient(D)
    anchors, references = ops.shape(D)[0], ops.shape(D)[1]
    place = ops.arange(references, dtype="int32")
    # the k-th member of sample i's class is by_class[first[i] + k]; i itself is the within[i]-th
    by_class = ops.cast(ops.argsort(labels), "int32")
    first = ops.sum(ops.cast(labels[None, :] < labels[:, None], "int32"), axis=1)
    within = ops.cast(ops.argsort(by_class), "int32") - first

    def count(rows):
        d, label = ops.take(D, rows, axis=0), ops.take(labels, rows)
        same = label[:, None] == labels[None, :]
        positive = ops.logical_and(same, rows[:, None] != place[None, :])
        size = ops.sum(ops.cast(same, "int32"), axis=1)
        size = ops.where(size < references, size, 0)  # no negative, no triplet
        most = ops.max(size, initial=0)

        def walk(width, counts_of):
            def one_pass(c, counts):
                k = (c * width + ops.arange(width, dtype="int32"))[None, :]
                at = ops.take(first, rows)[:, None] + k
                p = ops.take(by_class, ops.minimum(at, references - 1))
                there = ops.logical_and(k < size[:, None], p != rows[:, None])
                # farther than nothing: counts nothing
                d_p = ops.where(there, ops.take_along_axis(d, p, axis=1), -INF)
                own = ops.logical_and(positive, (within // width == c)[None, :])
                return c + 1, counts + counts_of(d_p, own)

            start = (ops.zeros((), "int32"), ops.zeros_like(d))
            return ops.while_loop(lambda c, counts: c * width < most, one_pass, start)[1]

        def few():
            negatives_with = negatives_of(ops.where(same, INF, d))

            def of_one(d_p, own):
                negatives = negatives_with(d_p)
                n = ops.sum(negatives, axis=1, keepdims=True)
                return ops.where(own, n, 0.0) - negatives

            return walk(1, of_one)

        if D.shape[1] is not None and D.shape[1] <= SMALL:
            return few()
        return ops.cond(most <= FEW, few, lambda: walk(references // 6 + 1, of_many(d, same)))

    if D.shape[0] is not None and D.shape[0] <= BLOCK:
        return count(place[:anchors])
    block = min(BLOCK, anchors) if isinstance(anchors, int) else ops.minimum(BLOCK, anchors)
    within_block = ops.arange(block, dtype="int32")

    def one_block(start, counts):
        begin = ops.minimum(start, anchors - block)  # the last block overlaps the one before
        return start + block, ops.slice_update(counts, (begin, 0), count(begin + within_block))

    start = (ops.zeros((), "int32"), ops.zeros_like(D))
    return ops.while_loop(lambda start, counts: start < anchors, one_block, start)[1]


def _all_of_many(d, same, margin):
    """Count `all_triplets` of some positives of each anchor.

    A positive is violated by the negatives within its reach, `d_p + margin`: they lie between two
    reaches that are up to its own. A negative violates the positives whose reach is beyond it.
    """

    def counts_of(d_p, own):
        reach = sort_rows(d_p + margin)
        rank = count_below(reach, ops.where(same, d + margin, d), including=True)
        ranks = ops.shape(reach)[1] + 1
        at = _places(rank, ranks)
        negatives = _collect(ops.segment_sum, ops.cast(ops.logical_not(same), d.dtype), at, ranks)
        violated_by = ops.take(ops.cumsum(negatives, axis=1) - negatives, at)
        violates = ops.cast(ranks - 1 - rank, d.dtype)
        return ops.where(own, violated_by, 0.0) - ops.where(same, 0.0, violates)

    return counts_of


def _semi_hard_of_many(d, same, margin):
    """Count `semi_hard_triplets` of some positives of each anchor.

    The positives, sorted, cut the distances into intervals; the negatives of interval `k` are
    farther than the positives below `k`. So each positive takes the nearest negative of the next
    interval that has any. No positive is below interval 0, so that place in the tables serves
    those without a next one: they take the farthest negative.
    """
    d_n = ops.where(same, INF, d)
    negative = ops.logical_not(same)
    farthest = ops.max(ops.where(same, -INF, d), axis=1, keepdims=True)
    is_farthest = d_n == farthest
    ties_of_farthest = ops.sum(ops.cast(is_farthest, d.dtype), axis=1, keepdims=True)
    ties_of_farthest = ops.maximum(ties_of_farthest, 1.0)

    def counts_of(d_p, own):
        d_p = sort_rows(d_p)
        rank = count_below(d_p, d)
        ranks = ops.shape(d_p)[1] + 1
        at = _places(rank, ranks)
        nearest = -_collect(ops.segment_max, -d_n, at, ranks)[:, 1:]
        # empty intervals form a group with the one that follows them
        filled = ops.cast(nearest <= farthest, "int32")
        group = _places(ops.cumsum(filled, axis=1) - filled, ranks)
        k = ops.arange(1, ranks, dtype="int32")
        following = ops.take(_collect(ops.segment_max, filled * k, group, ranks), group)
        nearest = ops.concatenate([farthest, nearest], axis=1)

        chosen = _places(following, ranks)
        active = ops.cast(ops.take(nearest, chosen) < d_p + margin, d.dtype)
        taken = _collect(ops.segment_sum, active, chosen, ranks)
        is_nearest = ops.logical_and(
            ops.logical_and(rank > 0, negative), d == ops.take(nearest, at)
        )
        ties = _collect(ops.segment_sum, ops.cast(is_nearest, d.dtype), at, ranks)

        # one table for a single look-up: shares of negatives, then counts of positives
        active = ops.pad(active, ((0, 0), (0, 1)))
        share = ops.concatenate([-taken / ops.maximum(ties, 1.0), active], axis=1)
        at = _places(ops.where(own, ranks + rank, rank), 2 * ranks)
        counts = ops.where(ops.logical_or(own, is_nearest), ops.take(share, at), 0.0)
        return counts - ops.where(is_farthest, taken[:, :1] / ties_of_farthest, 0.0)

    return counts_of


def _places(rank, ranks):
    """Return where each row's ranks stand in a flat table with `ranks` places a row."""
    return rank + ranks * ops.arange(ops.shape(rank)[0], dtype="int32")[:, None]


def _collect(reduce, x, at, ranks):
    """Reduce the numbers of each row that have a place in common, `(rows, ranks)`."""
    rows = ops.shape(x)[0]
    table = reduce(ops.reshape(x, (-1,)), ops.reshape(at, (-1,)), rows * ranks)
    return ops.reshape(table, (rows, ranks))
