"""Retrieval scores of embeddings: whether the nearest samples are of a sample's own class.

Nearness is the cosine of the angle between two embeddings.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kcatalog.ops import retrieval_scores
from kcatalog.recipe.data import Data
from kcatalog.recipe.feed import pipeline

CHUNK = 1024  # samples searched for at a time

Gallery = tuple[np.ndarray, np.ndarray]  # embeddings of samples whose labels are known; the labels


def nearest_labels(embeddings: np.ndarray, known: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the label of the nearest known sample, for each of `embeddings`.

    >>> known, labels = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([7, 8])
    >>> nearest_labels(np.array([[2.0, 1.0], [-1.0, 1.0]]), known, labels).tolist()
    [7, 8]
    """
    known = _unit(known)
    pieces = [embeddings[i : i + CHUNK] for i in range(0, len(embeddings), CHUNK)]
    return np.concatenate([labels[np.argmax(piece @ known.T, axis=1)] for piece in pieces])


def retrieval(
    embeddings: np.ndarray, labels: np.ndarray, gallery: Gallery | None = None
) -> dict[Any, Any]:
    """Return recall@1 and MAP@R of searching for each sample among the others, or in a gallery.

    >>> angles = np.deg2rad([0, 10, 40, 22])
    >>> retrieval(np.stack([np.cos(angles), np.sin(angles)], axis=1), np.array([7, 7, 7, 8]))
    {'recall@1': 0.66..., 'MAP@R': 0.41...}
    """
    known = gallery or (None, None)
    scores = retrieval_scores(embeddings, labels, *known, distance="cosine", chunk=CHUNK)
    return {"recall@1": scores["recall_at_k"], "MAP@R": scores["map_at_r"]}


def validation_scores(
    found: np.ndarray, labels: np.ndarray, known: np.ndarray, its_labels: Any
) -> dict[Any, Any]:
    """Return retrieval scores of validation samples, NaN if an embedding is not finite.

    Recipes choose by `val_margin`: on a split of some dozen samples, recall and MAP@R depend on one
    or two of them.
    """
    if not (np.isfinite(known).all() and np.isfinite(found).all()):
        return dict.fromkeys(("val_margin", "val_map_at_r", "val_recall_at_1"), float("nan"))
    scores = retrieval(found, labels, (known, its_labels))
    return {
        "val_margin": margin(found, labels, known, its_labels),
        "val_map_at_r": scores["MAP@R"],
        "val_recall_at_1": scores["recall@1"],
    }


def margin(
    embeddings: np.ndarray, labels: np.ndarray, known: np.ndarray, known_labels: Any
) -> float:
    """Return the mean difference of cosines: to the nearest positive, and to the nearest negative.

    >>> known, labels = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([7, 8])
    >>> margin(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([7, 8]), known, labels)
    0.0
    """
    cosines, same = _unit(embeddings) @ _unit(known).T, labels[:, None] == known_labels
    positive = np.max(cosines, axis=1, where=same, initial=-1.0)
    negative = np.max(cosines, axis=1, where=~same, initial=-1.0)
    return float(np.mean(positive - negative))


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


class ValidationScores(keras.callbacks.Callback):
    """A callback that adds the validation scores to each epoch's logs; it has to come first."""

    def __init__(self, task, data: Data):
        super().__init__()
        self.task, self.data = task, data

    def on_epoch_end(self, epoch: int, logs: dict[Any, Any] | None = None) -> None:
        x, labels = self.data.validation
        gallery = self.task.gallery(self.model, self.data, "validation")
        found = pipeline.predict(self.model, x).astype("float32")
        logs.update(validation_scores(found, labels, *gallery))
