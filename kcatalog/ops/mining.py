"""Which triplets a batch offers, found without ever holding a (batch, batch, batch) tensor."""

from keras import ops


def same_class(labels):
    """`(batch, batch)`: whether two samples have the same label. `labels`: `(batch,)`."""
    return ops.equal(labels[:, None], labels[None, :])


def positive_pairs(labels):
    """`(batch, batch)`: whether two different samples have the same label."""
    itself = ops.eye(ops.shape(labels)[0], dtype="bool")
    return ops.logical_and(same_class(labels), ops.logical_not(itself))


def semi_hard_negatives(D, labels):
    """For each anchor-positive pair the negative that FaceNet's semi-hard rule picks.

    That is the closest negative which is strictly farther from the anchor than the positive
    is, or the farthest negative where none is. Of equally far negatives the first counts.

    The batch is walked by rank: pass `k` takes every anchor's k-th positive and looks along the
    anchor's row of `D` for the nearest negative beyond. There are as many passes as the largest
    class has samples, each reads `D` twice, so `P` samples a class cost `O(P batch²)` time and
    `O(batch²)` memory. (Sorting every row once bounds the time for classes of any size, but
    compiled for a CPU it costs some 300 passes, and more than the distances in any case.)

    Args:
        D: `(batch, batch)` distances, anchors by row. No gradient flows through the choice.
        labels: `(batch,)`.

    Returns:
        `(batch, batch)` int32: at `[a, p]` the index of the negative for anchor `a` and positive
        `p`. Where `p` is no positive of `a`, or `a` has no negative, the entry means nothing.

    >>> D = ops.convert_to_tensor([[0.0, 2.0, 1.0, 3.0]] * 4)
    >>> int(semi_hard_negatives(D, ops.convert_to_tensor([7, 7, 8, 8]))[0, 1])
    3
    """
    batch = ops.shape(labels)[0]
    index = ops.arange(batch, dtype="int32")
    same = same_class(labels)
    size = ops.sum(ops.cast(same, "int32"), axis=1)
    D = ops.stop_gradient(D)
    inf = float("inf")
    D_far = ops.where(same, -inf, D)
    D_an = ops.where(same, inf, D)

    def first_at(D, distance):  # an argmin is slower than a comparison and a minimum
        return ops.min(ops.where(distance == D, index, batch - 1), axis=1)

    farthest = first_at(D_far, ops.max(D_far, axis=1, keepdims=True))

    # the k-th member of a's class is by_class[first[a] + k]
    by_class = ops.cast(ops.argsort(labels), "int32")
    first = ops.sum(ops.cast(labels[None, :] < labels[:, None], "int32"), axis=1)
    passes = ops.max(ops.where(size < batch, size, 0))

    def kth_positives(k, negative):
        p = ops.take(by_class, ops.minimum(first + k, batch - 1))
        D_ap = ops.take_along_axis(D, p[:, None], axis=1)
        nearest = ops.min(ops.where(D_an > D_ap, D_an, inf), axis=1, keepdims=True)
        n = ops.where(nearest[:, 0] < inf, first_at(D_an, nearest), farthest)
        return k + 1, ops.scatter_update(negative, ops.stack([index, p], axis=1), n)

    # past the end of its class an anchor meets samples of other classes: entries that mean nothing
    start = (ops.zeros((), "int32"), ops.zeros((batch, batch), "int32"))
    return ops.while_loop(lambda k, negative: k < passes, kth_positives, start)[1]
