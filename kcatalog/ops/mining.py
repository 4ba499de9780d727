"""Triplets of a batch, counted without ever holding a (batch, batch, batch) tensor.

A triplet loss is a sum of `m + D(a, p) - D(a, n)` over some triplets. So it is linear in the
distances: all that has to be known of the triplets is how often each distance occurs, with
a plus where its sample is the positive and a minus where it is the negative. The functions here
count, in integers; `triplet_sums` multiplies, and its gradient is the counts themselves.

References are the samples that an anchor is compared with; anchors are the first of them.
"""

from keras import ops

from kcatalog.ops.sorting import count_below, sort_columns

INF = float("inf")
SMALL = 256  # references up to which walking is always fast enough
WORTH_SORTING = 1.0  # samples a class from which sorting is faster, in units of log² references
BLOCK = 256  # anchors sorted at a time, so that they stay in the cache


def same_class(labels, anchors=None):
    """`(anchors, references)`: whether two samples have the same label. `labels`: `(references,)`.

    >>> int(ops.sum(ops.cast(same_class(ops.convert_to_tensor([1, 1, 2])), "int32")))
    5
    """
    return ops.equal(labels[:anchors, None], labels[None, :])


def positive_pairs(labels, anchors=None):
    """`(anchors, references)`: whether two different samples have the same label.

    >>> int(ops.sum(ops.cast(positive_pairs(ops.convert_to_tensor([1, 1, 2])), "int32")))
    2
    """
    same = same_class(labels, anchors)
    place = ops.arange(ops.shape(labels)[0], dtype="int32")
    return ops.logical_and(same, place[:anchors, None] != place[None, :])


def triplet_sums(D, counts, margin):
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


def all_triplets(D, labels, margin):
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

    return _count(D, labels, violated, lambda d, same, pos: _sorted_all(d, same, pos, margin))


def semi_hard_triplets(D, labels, margin):
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

    return _count(D, labels, chosen, lambda d, same, pos: _sorted_semi_hard(d, same, pos, margin))


def _count(D, labels, negatives_of, by_sorting):
    """Count triplets in blocks of anchors that fit the cache.

    Within a block positives are walked or, where classes are large, distances are sorted.
    """
    D = ops.stop_gradient(D)
    anchors, references = ops.shape(D)[0], ops.shape(D)[1]
    place = ops.arange(references, dtype="int32")
    by_class = ops.cast(ops.argsort(labels), "int32")
    log = ops.log2(ops.cast(references, "float32"))

    def count(rows):
        d, label = ops.take(D, rows, axis=0), ops.take(labels, rows)
        same = label[:, None] == labels[None, :]
        positive = ops.logical_and(same, rows[:, None] != place[None, :])
        size = ops.sum(ops.cast(same, "int32"), axis=1)
        # the k-th member of an anchor's class is by_class[first + k]
        first = ops.sum(ops.cast(labels[None, :] < label[:, None], "int32"), axis=1)

        def walk():
            return _walk_positives(d, same, rows, by_class, first, size, negatives_of)

        def sort():
            found = by_sorting(*(ops.transpose(x) for x in (d, same, positive)))
            return ops.cast(ops.transpose(found), d.dtype)

        if D.shape[1] is not None and D.shape[1] <= SMALL:
            return walk()
        # a pass reads the distances a few times, a step of the network likewise: log² steps
        most = ops.cast(ops.max(size), "float32")
        return ops.cond(most <= WORTH_SORTING * ops.square(log), walk, sort)

    if D.shape[0] is not None and D.shape[0] <= BLOCK:
        return count(place[:anchors])
    block = min(BLOCK, anchors) if isinstance(anchors, int) else ops.minimum(BLOCK, anchors)
    within = ops.arange(block, dtype="int32")

    def one_block(start, counts):
        first = ops.minimum(start, anchors - block)  # the last block overlaps the one before
        return start + block, ops.slice_update(counts, (first, 0), count(first + within))

    start = (ops.zeros((), "int32"), ops.zeros_like(D))
    return ops.while_loop(lambda start, counts: start < anchors, one_block, start)[1]


def _walk_positives(d, same, rows, by_class, first, size, negatives_of):
    """Sum the counts of `negatives_of(D_n)(d_p)`, one positive an anchor at a time.

    Pass `k` takes every anchor's k-th positive. There are as many passes as the largest class has
    samples, each reads the distances a few times: `O(P batch²)` time for `P` samples a class.
    """
    references = ops.shape(d)[1]
    place = ops.arange(references, dtype="int32")
    negatives_with = negatives_of(ops.where(same, INF, d))
    passes = ops.max(ops.where(size < references, size, 0))  # no negative, no triplet

    def kth_positives(k, counts):
        p = ops.take(by_class, ops.minimum(first + k, references - 1))
        there = ops.logical_and(k < size, p != rows)
        d_p = ops.take_along_axis(d, p[:, None], axis=1)
        d_p = ops.where(there[:, None], d_p, -INF)  # farther than nothing: counts nothing
        negatives = negatives_with(d_p)
        n = ops.sum(negatives, axis=1, keepdims=True)
        return k + 1, counts + ops.where(place[None, :] == p[:, None], n, 0.0) - negatives

    start = (ops.zeros((), "int32"), ops.zeros_like(d))
    return ops.while_loop(lambda k, counts: k < passes, kth_positives, start)[1]


def _sorted_all(d, same, positive, margin):
    """`all_triplets` for a block: `d`, `same`, `positive` are `(references, anchors)`."""
    negatives = sort_columns(ops.where(same, INF, d))
    positives = sort_columns(ops.where(positive, d + margin, INF))
    size = ops.sum(ops.cast(positive, "int32"), axis=0)
    violated_by = ops.where(positive, count_below(negatives, d + margin), 0)
    violates = ops.where(same, 0, size - count_below(positives, d, including=True))
    return violated_by - violates


def _sorted_semi_hard(d, same, positive, margin):
    """`semi_hard_triplets` for a block: all are `(references, anchors)`."""
    references = ops.shape(d)[0]
    d_n = ops.where(same, INF, d)
    negatives = sort_columns(d_n)
    farthest = ops.max(ops.where(same, -INF, d), axis=0)
    last = ops.sum(ops.cast(d_n < farthest, "int32"), axis=0)

    # the chosen negative by its rank; those equally far have one rank, the first's
    rank = ops.minimum(count_below(negatives, d, including=True), last)
    chosen = ops.take_along_axis(negatives, rank, axis=0)
    active = ops.logical_and(positive, chosen < d + margin)
    choices = sort_columns(ops.where(active, rank, references))

    own = count_below(negatives, d_n)
    ties = count_below(negatives, d_n, including=True) - own
    times = count_below(choices, own, including=True) - count_below(choices, own)
    share = ops.cast(times, d.dtype) / ops.cast(ops.maximum(ties, 1), d.dtype)
    return ops.cast(active, d.dtype) - ops.where(same, 0.0, share)
