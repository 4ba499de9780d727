"""Exact retrieval scores of embeddings, computed in pieces.

Of all neighbours of a query two lists matter: the distances of its positives, which are of its
class, and those of negatives. The `j`-th nearest positive has rank `r_j = j + negatives that are
not farther`; of equally far neighbours negatives come first, so that a model which maps everything
to one point finds nobody. Every score is a function of these ranks.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from kcatalog import checks
from kcatalog.ops.distances import pairwise_distances
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.sorting import count_below
from kcatalog.ops.targets import numbers, readable
from kcatalog.ops.words import same_words, words
from kcatalog.types import Tensor

INF = float("inf")


def embeddings_and_labels(
    owner: object, labels: Tensor, embeddings: Tensor, names: Sequence[str] = ("y_true", "y_pred")
) -> tuple[Tensor, Tensor]:
    """Return embeddings `(samples, features)` and labels in two words, `(samples, 2)`.

    Where a label is no whole number or an embedding is not finite, all of the embedding is NaN.

    Args:
        owner: who asks, for errors.
        labels: `(samples,)` or `(samples, 1)`, whole numbers of any dtype.
        embeddings: `(samples, features)`.
        names: what the owner calls labels and embeddings.

    >>> x, labels = embeddings_and_labels("Doc", [[7], [8]], ops.ones((2, 3)))
    >>> tuple(x.shape), tuple(labels.shape)
    ((2, 3), (2, 2))
    """
    labels = np.asarray(labels) if isinstance(labels, list | tuple) else labels  # keeps 64 bits
    x, y = at_least_float32(numbers(owner, names[1], embeddings)), numbers(owner, names[0], labels)
    if len(x.shape) != 2:
        fix = "Flatten or pool what a sample consists of."
        rule = "embeddings, (samples, features)"
        raise checks.error(owner, names[1], rule, tuple(x.shape), fix)
    if len(y.shape) not in (1, 2) or y.shape[1:] not in ((), (1,)):
        fix = "Of one-hot rows take the largest: ops.argmax(labels, axis=-1)."
        raise checks.error(owner, names[0], "one label a sample, (samples,)", tuple(y.shape), fix)
    if None not in (x.shape[0], y.shape[0]) and x.shape[0] != y.shape[0]:
        rule = f"one label for each of the {x.shape[0]} embeddings"
        raise checks.error(owner, names[0], rule, tuple(y.shape))
    good = ops.all(ops.isfinite(x), axis=1, keepdims=True)
    if "float" in keras.backend.standardize_dtype(y.dtype):
        values = readable(labels)
        if values is not None and np.any(np.isfinite(values) & (values != np.trunc(values))):
            part = values[values != np.trunc(values)][0].item()
            raise checks.error(owner, names[0], "whole numbers", part)
        y = ops.reshape(y, (-1, 1))
        good = ops.logical_and(good, y == ops.trunc(y))
    return ops.where(good, x, float("nan")), ops.reshape(words(labels), (-1, 2))


def k_nearest(D: Tensor, k: int) -> Tensor:
    """Return the `k` smallest of each row in rising order; infinite where there are fewer.

    >>> [float(d) for d in k_nearest(ops.convert_to_tensor([[3.0, 1.0, 2.0]]), 2)[0]]
    [1.0, 2.0]
    """
    if k == 1:
        return ops.min(D, axis=1, keepdims=True)
    if D.shape[1] is None or D.shape[1] < k:
        D = ops.pad(D, ((0, 0), (0, k)), constant_values=INF)
    return -ops.top_k(-D, k)[0]


def positives_and_negatives(D: Tensor, same: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Distances `D` twice: of the same class, and of other classes; the rest is infinite.

    `same`, `others`: boolean, of the shape of `D`: same label, and not the row's own sample.
    """
    positives = ops.where(ops.logical_and(same, others), D, INF)
    negatives = ops.where(ops.logical_and(ops.logical_not(same), others), D, INF)
    return positives, negatives


def positive_ranks(positives: Tensor, negatives: Tensor) -> Tensor:
    """Rank each positive among all neighbours, `(queries, positives)` in rising order.

    Args:
        positives: distances, rising, infinite where there are no more.
        negatives: the same. Ranks up to the length of this list are exact, beyond it they
            are only known to lie beyond.

    Returns:
        float32; infinite where there is no positive.

    >>> ops.convert_to_numpy(positive_ranks([[0.1, 0.5]], [[0.2, 0.5]])).tolist()
    [[1.0, 4.0]]
    """
    positives, negatives = ops.convert_to_tensor(positives), ops.convert_to_tensor(negatives)
    j = ops.arange(1, positives.shape[1] + 1, dtype="float32")
    r = j + ops.cast(count_below(negatives, positives, including=True), "float32")
    return ops.where(positives < INF, r, INF)


# --- scores of each query, from the ranks `r` of its positives ----------------------------


def found_at_k(r: Tensor, k: int) -> Tensor:
    """Recall@k of metric learning: 1 where a positive is among the `k` nearest neighbours."""
    return ops.cast(r[:, 0] <= k, "float32")


def precision_at_k(r: Tensor, k: int) -> Tensor:
    """Return the share of positives among the `k` nearest neighbours."""
    return ops.sum(ops.cast(r <= k, "float32"), axis=1) / k


def r_precision(r: Tensor) -> Tensor:
    """Return the share of positives among the `R` nearest neighbours of `R` positives."""
    R = _positives(r)
    return ops.divide_no_nan(ops.sum(ops.cast(r <= R, "float32"), axis=1), R[:, 0])


def map_at_r(r: Tensor) -> Tensor:
    """`1/R Σ P(i)` over the ranks `i` up to `R` of positives; `P` is the precision there."""
    R = _positives(r)
    j = ops.arange(1, r.shape[1] + 1, dtype="float32")
    return ops.divide_no_nan(ops.sum(ops.where(r <= R, j / r, 0.0), axis=1), R[:, 0])


def reciprocal_rank(r: Tensor, k: int) -> Tensor:
    """One over the rank of the nearest positive; 0 if that is beyond `k`."""
    return ops.where(r[:, 0] <= k, 1 / r[:, 0], 0.0)


def ndcg_at_k(r: Tensor, k: int) -> Tensor:
    """Discounted gain of positives among the `k` nearest neighbours, over the best possible."""
    j = ops.arange(1, r.shape[1] + 1, dtype="float32")
    best = ops.where(j <= ops.minimum(_positives(r), k), discount(j), 0.0)
    gain = ops.sum(ops.where(r <= k, discount(r), 0.0), axis=1)
    return ops.divide_no_nan(gain, ops.sum(best, axis=1))


def discount(rank: int) -> Tensor:
    """Return the discount of a rank, `1 / log2(1 + rank)`: 1 for the first."""
    return 1 / ops.log2(1 + rank)


def _positives(r):
    return ops.sum(ops.cast(r < INF, "float32"), axis=1, keepdims=True)


# --- a whole set ------------------------------------------------------------------------

_SCORES = (
    "recall_at_k",
    "precision_at_k",
    "r_precision",
    "map_at_r",
    "mean_reciprocal_rank",
    "ndcg_at_k",
    "nearest_neighbour_accuracy",
)


def retrieval_scores(
    x: Tensor,
    labels: Tensor,
    references: Tensor | None = None,
    reference_labels: Tensor | None = None,
    k: int = 1,
    distance: str = "cosine",
    chunk: int = 1024,
) -> Tensor:
    """Score how well samples find their own class among their nearest neighbours.

    Every sample of `x` is searched for among all others, or among `references`. Exact; `chunk`
    queries at a time, so memory is a few times `chunk · references` numbers. Samples without
    another of their class are left out, but for the accuracy. Of equally far neighbours
    negatives come first, so that a model which maps everything to one point scores 0.

    Args:
        x: queries, embeddings `(samples, features)`.
        labels: `(samples,)` or `(samples, 1)`, whole numbers of any dtype.
        references: embeddings to search among; None for `x`, each without itself.
        reference_labels: their labels.
        k: how many neighbours count.
        distance: as in `pairwise_distances`.
        chunk: queries searched for at a time.

    Returns:
        A dict of numbers from 0 to 1, means over queries; 0 where there is nobody to find, NaN
        where an embedding is not finite:
        `recall_at_k` (whether the class is among the `k` nearest), `precision_at_k`,
        `r_precision`, `map_at_r`, `mean_reciprocal_rank`, `ndcg_at_k`, and
        `nearest_neighbour_accuracy`: of a classifier that answers with the label of the nearest
        neighbour. That is recall@1, but queries with nobody to find count as wrong.

    >>> x, labels = [[0.0], [1.0], [3.0], [9.0]], [7, 7, 8, 8]
    >>> round(retrieval_scores(x, labels, distance="euclidean")["mean_reciprocal_rank"], 4)
    0.8333
    """
    if not _finite(x, references):
        return dict.fromkeys(_SCORES, float("nan"))
    total = dict.fromkeys(_SCORES, 0.0)
    everybody = searched = 0
    for positives, negatives in _neighbours(
        x, labels, references, reference_labels, distance, chunk
    ):
        most = max(k, positives.shape[1])
        positives = k_nearest(positives, most)
        r = positive_ranks(positives, k_nearest(negatives, most))
        before = ops.sum(ops.cast(negatives <= positives[:, :1], "float32"), axis=1)
        scores = {
            "recall_at_k": found_at_k(r, k),
            "precision_at_k": precision_at_k(r, k),
            "r_precision": r_precision(r),
            "map_at_r": map_at_r(r),
            "mean_reciprocal_rank": ops.where(positives[:, 0] < INF, 1 / (1 + before), 0.0),
            "ndcg_at_k": ndcg_at_k(r, k),
            "nearest_neighbour_accuracy": found_at_k(r, 1),
        }
        for name, score in scores.items():
            total[name] += float(ops.sum(score))
        everybody += positives.shape[0]
        searched += int(ops.sum(ops.cast(positives[:, 0] < INF, "int32")))
    means = {name: value / max(searched, 1) for name, value in total.items()}
    means["nearest_neighbour_accuracy"] *= searched / max(everybody, 1)
    return means


def recall_at_k(
    x: Tensor, labels: Tensor, k: int = 1, distance: str = "cosine", chunk: int = 1024
) -> Any:
    """Return the share of samples with one of their own class among their `k` nearest neighbours.

    Exact over a whole set: every sample is searched for among all others, `chunk` samples at a
    time, so memory is `chunk · samples`. That is recall@k as metric learning reports it (0 or 1
    for each sample), not the share of relevant items found, as ranking does.

    A sample counts if its nearest positive is nearer than its k-th nearest negative. Ties count
    against it, so that a model which maps everything to one point scores 0. Samples without
    another of their class are left out. `retrieval_scores` gives this and more.

    Args:
        x: embeddings `(samples, features)`.
        labels: `(samples,)` or `(samples, 1)`, whole numbers of any dtype.
        k: how many neighbours count.
        distance: as in `pairwise_distances`.
        chunk: samples searched for at a time.

    Returns:
        A number from 0 to 1; 0 if no sample has another of its class, NaN if an embedding is not
        finite.

    >>> recall_at_k([[0.0], [1.0], [3.0], [9.0]], [7, 7, 8, 8], distance="euclidean")
    0.75
    """
    if not _finite(x, None):
        return float("nan")
    found = searched = 0
    for positives, negatives in _neighbours(x, labels, None, None, distance, chunk):
        nearest = k_nearest(positives, 1)[:, 0]
        found += int(ops.sum(ops.cast(nearest < k_nearest(negatives, k)[:, -1], "int32")))
        searched += int(ops.sum(ops.cast(nearest < INF, "int32")))
    return found / searched if searched else 0.0


def _neighbours(x, labels, references, reference_labels, distance, chunk):
    """Distances to positives and to negatives, `chunk` queries at a time; infinite where none is.

    There are as many positives as the largest class has members, picked by their places: looking
    through all distances twice would take twice the time. Negatives are all distances.
    """
    if (references is None) != (reference_labels is None):
        rule = "given with `references`, and not without"
        raise checks.error("retrieval", "reference_labels", rule, reference_labels)
    x, labels = embeddings_and_labels("retrieval", labels, x, ("labels", "x"))
    y, y_labels = x, labels
    if references is not None:
        names = "reference_labels", "references"
        y, y_labels = embeddings_and_labels("retrieval", reference_labels, references, names)
    query_class, member_class = _classes(labels), _classes(y_labels)
    by_class = np.argsort(member_class, kind="stable").astype("int32")
    first, end = (
        np.searchsorted(member_class, query_class, side, sorter=by_class).astype("int32")
        for side in ("left", "right")
    )
    largest = max(int(np.max(end - first, initial=0)), 1)
    for start in range(0, x.shape[0], chunk):
        rows = slice(start, min(start + chunk, x.shape[0]))
        D = pairwise_distances(x[rows], y, distance)
        place = first[rows, None] + np.arange(largest, dtype="int32")
        there = place < end[rows, None]
        positive = by_class[np.minimum(place, len(by_class) - 1)]
        if references is None:
            there &= positive != np.arange(start, rows.stop)[:, None]
        D_positives = ops.take_along_axis(D, ops.convert_to_tensor(positive), axis=1)
        same = same_words(labels[rows], y_labels)
        yield (
            ops.where(ops.convert_to_tensor(there), D_positives, INF),
            ops.where(same, INF, D),
        )


def _finite(x, references):
    sets = [x] if references is None else [x, references]
    return all(bool(ops.all(ops.isfinite(at_least_float32(v)))) for v in sets)


def _classes(labels):
    """Return words as NumPy's own whole numbers."""
    upper, lower = np.moveaxis(ops.convert_to_numpy(labels).astype("int64"), -1, 0)
    return upper * 2**32 + lower
