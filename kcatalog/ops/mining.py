"""Which triplets a batch offers, found without ever holding a (batch, batch, batch) tensor.

A triplet loss is a sum of `m + D(a, p) - D(a, n)` over some triplets. So it is linear in the
distances: all that has to be known of the triplets is how often each distance occurs, with
a plus where its sample is the positive and a minus where it is the negative. The functions here
count, in integers; `triplet_sums` multiplies, and its gradient is the counts themselves.

References are the samples that an anchor is compared with; anchors are the first of them.
"""

from keras import ops


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
    """How often each distance occurs among the triplets with `D(a, n) < D(a, p) + margin`.

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

    def violated(d_p, D_n):
        return ops.cast(D_n < d_p + margin, D.dtype)

    return _walk_positives(D, labels, violated)


def semi_hard_triplets(D, labels, margin):
    """How often each distance occurs among FaceNet's semi-hard triplets that lose something.

    Each anchor-positive pair has one negative: the closest that is strictly farther from the
    anchor than the positive is, or the farthest where none is. Equally far negatives share it. The
    triplet counts where `D(a, n) < D(a, p) + margin`.

    Args and returns as in `all_triplets`.

    >>> D = ops.convert_to_tensor([[0.0, 2.0, 1.0, 3.0]])
    >>> [int(n) for n in semi_hard_triplets(D, ops.convert_to_tensor([7, 7, 8, 8]), 2.0)[0]]
    [0, 1, 0, -1]
    """
    anchors = ops.shape(D)[0]
    farthest = ops.max(ops.where(same_class(labels, anchors), -INF, D), axis=1, keepdims=True)

    def chosen(d_p, D_n):
        d_n = ops.min(ops.where(D_n > d_p, D_n, INF), axis=1, keepdims=True)
        d_n = ops.where(d_n < INF, d_n, farthest)
        nearest = ops.cast(D_n == d_n, D.dtype)
        counts = ops.cast(d_n < d_p + margin, D.dtype)
        return nearest * counts / ops.maximum(ops.sum(nearest, axis=1, keepdims=True), 1.0)

    return _walk_positives(D, labels, chosen)


INF = float("inf")


def _walk_positives(D, labels, negatives_of):
    """Counts of triplets, from what `negatives_of(d_p, D_n)` counts for one positive an anchor.

    Pass `k` takes every anchor's k-th positive. There are as many passes as the largest class has
    samples, each reads the distances a few times: `O(P batch²)` time for `P` samples a class, and
    `O(batch²)` memory.
    """
    D = ops.stop_gradient(D)
    anchors, references = ops.shape(D)[0], ops.shape(D)[1]
    place = ops.arange(references, dtype="int32")
    same = same_class(labels, anchors)
    D_n = ops.where(same, INF, D)
    size = ops.sum(ops.cast(same, "int32"), axis=1)
    passes = ops.max(ops.where(size < references, size, 0))  # no negative, no triplet

    # the k-th member of a's class is by_class[first[a] + k]
    by_class = ops.cast(ops.argsort(labels), "int32")
    first = ops.sum(ops.cast(labels[None, :] < labels[:anchors, None], "int32"), axis=1)

    def kth_positives(k, counts):
        p = ops.take(by_class, ops.minimum(first + k, references - 1))
        there = ops.logical_and(k < size, p != place[:anchors])
        d_p = ops.take_along_axis(D, p[:, None], axis=1)
        d_p = ops.where(there[:, None], d_p, -INF)  # farther than nothing: counts nothing
        negatives = negatives_of(d_p, D_n)
        n = ops.sum(negatives, axis=1, keepdims=True)
        return k + 1, counts + ops.where(place[None, :] == p[:, None], n, 0.0) - negatives

    start = (ops.zeros((), "int32"), ops.zeros_like(D))
    return ops.while_loop(lambda k, counts: k < passes, kth_positives, start)[1]
