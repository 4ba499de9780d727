"""Nearest neighbours of embeddings, of the same class and of others, searched for in pieces."""

from collections.abc import Iterator, Sequence

import keras
import numpy as np
from keras import ops

from kcatalog import checks
from kcatalog.ops.distances import pairwise_distances
from kcatalog.ops.precision import at_least_float32
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


def neighbours(
    x: Tensor,
    labels: Tensor,
    references: Tensor | None,
    reference_labels: Tensor | None,
    distance: str,
    chunk: int,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield distances to positives and to negatives, `chunk` queries at a time.

    There are as many positives as the largest class has members, picked by their places: looking
    through all distances twice would take twice the time. Negatives are all distances. A distance
    is infinite where there is none.
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


def finite(x: Tensor, references: Tensor | None) -> bool:
    """Return whether all embeddings are finite."""
    sets = [x] if references is None else [x, references]
    return all(bool(ops.all(ops.isfinite(at_least_float32(v)))) for v in sets)


def _classes(labels):
    """Return words as NumPy's own whole numbers."""
    upper, lower = np.moveaxis(ops.convert_to_numpy(labels).astype("int64"), -1, 0)
    return upper * 2**32 + lower
