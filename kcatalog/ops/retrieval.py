"""Does a sample find its own class among its nearest neighbours? Exact, in pieces that fit."""

from keras import ops

from kcatalog.ops.distances import pairwise_distances
from kcatalog.ops.labels import flat_labels


def k_nearest(D, k):
    """The `k` smallest of each row in rising order; infinite where there are fewer.

    >>> [float(d) for d in k_nearest(ops.convert_to_tensor([[3.0, 1.0, 2.0]]), 2)[0]]
    [1.0, 2.0]
    """
    if k == 1:
        return ops.min(D, axis=1, keepdims=True)
    D = ops.pad(D, ((0, 0), (0, k)), constant_values=float("inf"))
    return -ops.top_k(-D, k)[0]


def friends_and_strangers(D, same, others):
    """Distances `D` twice: of the same class, and of other classes; the rest is infinite.

    `same`, `others`: boolean, of the shape of `D`: same label, and not the row's own sample.
    """
    friends = ops.where(ops.logical_and(same, others), D, float("inf"))
    strangers = ops.where(ops.logical_and(ops.logical_not(same), others), D, float("inf"))
    return friends, strangers


def recall_at_k(x, labels, k=1, distance="cosine", chunk=1024):
    """The share of samples with one of their own class among their `k` nearest neighbours.

    Exact over a whole set: every sample is searched for among all others, `chunk` samples at a
    time, so memory is `chunk · samples`. That is recall@k as metric learning reports it (0 or 1
    for each sample), not the share of relevant items found, as ranking does.

    A sample counts if its nearest friend is nearer than its k-th nearest stranger. Ties count
    against it, so that a model which maps everything to one point scores 0. Samples without
    another of their class are left out.

    Args:
        x: embeddings `(samples, features)`.
        labels: `(samples,)` or `(samples, 1)`.
        k: how many neighbours count.
        distance: as in `pairwise_distances`.
        chunk: samples searched for at a time.

    Returns:
        A number from 0 to 1; 0 if no sample has another of its class.

    >>> recall_at_k([[0.0], [1.0], [3.0], [9.0]], [7, 7, 8, 8], distance="euclidean")
    0.75
    """
    x, labels = ops.convert_to_tensor(x), flat_labels(labels)
    samples, found, searched = x.shape[0], 0, 0
    for start in range(0, samples, chunk):
        rows = slice(start, min(start + chunk, samples))
        D = pairwise_distances(x[rows], x, distance)
        same = ops.equal(labels[rows][:, None], labels[None, :])
        itself = ops.arange(start, rows.stop)[:, None] == ops.arange(samples)[None, :]
        friends, strangers = friends_and_strangers(D, same, ops.logical_not(itself))
        nearest = k_nearest(friends, 1)[:, 0]
        found += int(ops.sum(ops.cast(nearest < k_nearest(strangers, k)[:, -1], "int32")))
        searched += int(ops.sum(ops.cast(nearest < float("inf"), "int32")))
    return found / searched if searched else 0.0
