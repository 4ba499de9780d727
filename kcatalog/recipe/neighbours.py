"""How good embeddings are: whether the samples nearest to a sample are of its class.

Nearness is the cosine of the angle between two embeddings.
"""

from __future__ import annotations

import keras
import numpy as np

from kcatalog.recipe.batches import evaluation_size
from kcatalog.recipe.data import Data

CHUNK = 1024  # samples searched for at a time
MOST_REFERENCES = 5000  # of the training part, each epoch; the test part is compared with all

Gallery = tuple[np.ndarray, np.ndarray]  # embeddings of samples whose labels are known; the labels


def nearest_labels(embeddings: np.ndarray, known: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The label of the nearest known sample, for each of `embeddings`.

    >>> known, labels = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([7, 8])
    >>> nearest_labels(np.array([[2.0, 1.0], [-1.0, 1.0]]), known, labels).tolist()
    [7, 8]
    """
    found = [labels[np.argmax(s, axis=1)] for s in _similarities(embeddings, known)]
    return np.concatenate(found)


def retrieval(embeddings: np.ndarray, labels: np.ndarray, gallery: Gallery | None = None) -> dict:
    """Recall@1 and MAP@R of searching for each sample among the others, or in a gallery.

    With `R` samples of a sample's class to be found, its average precision at R is `Σ P(i) / R`
    over the places i up to R that hold one of them, where `P(i)` is their share of the first i
    (Musgrave et al. 2020). Samples without another of their class are left out.

    Ties count against a sample, so that mapping all to one point scores 0.

    >>> angles = np.deg2rad([0, 10, 40, 22])
    >>> retrieval(np.stack([np.cos(angles), np.sin(angles)], axis=1), np.array([7, 7, 7, 8]))
    {'recall@1': 0.66..., 'MAP@R': 0.41...}
    """
    known, known_labels = gallery or (embeddings, labels)
    recalls, precisions, start = [], [], 0
    for s in _similarities(embeddings, known):
        y = labels[start : start + len(s), None]
        relevant = np.sum(known_labels == y, axis=1)
        if gallery is None:  # nobody finds itself
            s[np.arange(len(s)), np.arange(start, start + len(s))] = -np.inf
            relevant -= 1
        start += len(s)
        R = max(1, int(relevant.max()))
        order = np.lexsort((known_labels == y, -s), axis=1)[:, :R]
        hits = (known_labels[order] == y) & (np.arange(R) < relevant[:, None])
        precision = np.cumsum(hits, axis=1) / np.arange(1, R + 1)
        average = np.sum(precision * hits, axis=1) / np.maximum(relevant, 1)
        recalls.append(hits[relevant > 0, 0])
        precisions.append(average[relevant > 0])
    return {
        "recall@1": float(np.mean(np.concatenate(recalls))),
        "MAP@R": float(np.mean(np.concatenate(precisions))),
    }


def embed(model, x: np.ndarray) -> np.ndarray:
    """A model's embeddings."""
    return model.predict(x, batch_size=evaluation_size(len(x)), verbose=0).astype("float32")


def gallery(model, data: Data) -> Gallery:
    """What a test sample is compared with: everything that was known before."""
    x = np.concatenate([data.train[0], data.validation[0]])
    return embed(model, x), np.concatenate([data.train[1], data.validation[1]])


def validation_scores(model, data: Data) -> dict[str, float]:
    """How the validation part is found in the training part; NaN if an embedding is not finite."""
    x, y = data.train
    if len(x) > MOST_REFERENCES:
        chosen = np.random.default_rng(0).choice(len(x), MOST_REFERENCES, replace=False)
        x, y = x[chosen], y[chosen]
    known, found = embed(model, x), embed(model, data.validation[0])
    if not (np.isfinite(known).all() and np.isfinite(found).all()):
        return {"val_map_at_r": float("nan"), "val_recall_at_1": float("nan")}
    scores = retrieval(found, data.validation[1], (known, y))
    return {"val_map_at_r": scores["MAP@R"], "val_recall_at_1": scores["recall@1"]}


class Neighbours(keras.callbacks.Callback):
    """Adds `val_map_at_r` and `val_recall_at_1` to each epoch's logs; it has to come first."""

    def __init__(self, data: Data):
        super().__init__()
        self.data = data

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs.update(validation_scores(self.model, self.data))


def _similarities(embeddings: np.ndarray, known: np.ndarray):
    """Cosines of some embeddings at a time with all the known ones."""
    known = _unit(known).T
    for start in range(0, len(embeddings), CHUNK):
        yield _unit(embeddings[start : start + CHUNK]) @ known


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
