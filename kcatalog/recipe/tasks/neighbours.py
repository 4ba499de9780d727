"""How good embeddings are: whether the samples nearest to a sample are of its class.

Nearness is the cosine of the angle between two embeddings.
"""

from __future__ import annotations

import keras
import numpy as np

from kcatalog.ops import retrieval_scores
from kcatalog.recipe.data import Data
from kcatalog.recipe.data.files import join, some
from kcatalog.recipe.feed import pipeline

CHUNK = 1024  # samples searched for at a time
MOST_REFERENCES = 5000  # of the training part, each epoch; the test part is compared with all

Gallery = tuple[np.ndarray, np.ndarray]  # embeddings of samples whose labels are known; the labels


def nearest_labels(embeddings: np.ndarray, known: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The label of the nearest known sample, for each of `embeddings`.

    >>> known, labels = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([7, 8])
    >>> nearest_labels(np.array([[2.0, 1.0], [-1.0, 1.0]]), known, labels).tolist()
    [7, 8]
    """
    known = _unit(known)
    pieces = [embeddings[i : i + CHUNK] for i in range(0, len(embeddings), CHUNK)]
    return np.concatenate([labels[np.argmax(piece @ known.T, axis=1)] for piece in pieces])


def retrieval(embeddings: np.ndarray, labels: np.ndarray, gallery: Gallery | None = None) -> dict:
    """Recall@1 and MAP@R of searching for each sample among the others, or in a gallery.

    >>> angles = np.deg2rad([0, 10, 40, 22])
    >>> retrieval(np.stack([np.cos(angles), np.sin(angles)], axis=1), np.array([7, 7, 7, 8]))
    {'recall@1': 0.66..., 'MAP@R': 0.41...}
    """
    known = gallery or (None, None)
    scores = retrieval_scores(embeddings, labels, *known, distance="cosine", chunk=CHUNK)
    return {"recall@1": scores["recall_at_k"], "MAP@R": scores["map_at_r"]}


def embed(model, x) -> np.ndarray:
    """A model's embeddings."""
    return pipeline.predict(model, x).astype("float32")


def gallery(model, data: Data) -> Gallery:
    """What a test sample is compared with: everything that was known before."""
    x = join(data.train[0], data.validation[0])
    return embed(model, x), np.concatenate([data.train[1], data.validation[1]])


def references(model, data: Data) -> Gallery:
    """What a validation sample is compared with: samples that were trained on, not itself."""
    x, y = some(*data.train, MOST_REFERENCES)
    return embed(model, x), y


def validation_scores(model, data: Data) -> dict[str, float]:
    """How the validation part is found in the training part; NaN if an embedding is not finite.

    `val_margin` is what recipes choose by: how much nearer the nearest friend is than the
    nearest stranger, in cosines, on average. On a split of some dozen samples recall and MAP@R
    turn on one or two of them.
    """
    (known, y), found = references(model, data), embed(model, data.validation[0])
    if not (np.isfinite(known).all() and np.isfinite(found).all()):
        return dict.fromkeys(("val_margin", "val_map_at_r", "val_recall_at_1"), float("nan"))
    labels = data.validation[1]
    scores = retrieval(found, labels, (known, y))
    return {
        "val_margin": margin(found, labels, known, y),
        "val_map_at_r": scores["MAP@R"],
        "val_recall_at_1": scores["recall@1"],
    }


def margin(embeddings: np.ndarray, labels: np.ndarray, known: np.ndarray, known_labels) -> float:
    """The cosine to the nearest friend minus that to the nearest stranger, on average.

    >>> known, labels = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([7, 8])
    >>> margin(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([7, 8]), known, labels)
    0.0
    """
    cosines, same = _unit(embeddings) @ _unit(known).T, labels[:, None] == known_labels
    friend = np.max(cosines, axis=1, where=same, initial=-1.0)
    stranger = np.max(cosines, axis=1, where=~same, initial=-1.0)
    return float(np.mean(friend - stranger))


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


class ValidationMargin(keras.callbacks.Callback):
    """Adds the validation scores to each epoch's logs; it has to come first."""

    def __init__(self, data: Data):
        super().__init__()
        self.data = data

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs.update(validation_scores(self.model, self.data))
