"""The kinds of task: how each is scored, and what trials and epochs are compared by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from kcatalog import checks
from kcatalog.recipe import forecasts, neighbours, pipeline


@dataclass(frozen=True)
class Task:
    """How a task's predictions are judged.

    measure: the score's name for the reader, and `higher` whether more of it is better.
    score: (labels, outputs) -> the measure; for embeddings also the gallery that they are
        compared with (`kcatalog.recipe.neighbours`).
    objective: the metric that `fit` reports on the validation split, to choose by.
    predicted: (outputs), or (embeddings, gallery), -> class indices, or the forecast.
    """

    measure: str
    higher: bool
    score: Callable[..., float]
    objective: str
    predicted: Callable[..., np.ndarray]


def accuracy(labels: np.ndarray, logits: np.ndarray) -> float:
    """The fraction of samples whose highest score is their label's.

    >>> accuracy(np.array([0, 1]), np.array([[2.0, 1.0], [2.0, 1.0]]))
    0.5
    """
    return float(np.mean(np.argmax(logits, axis=-1) == labels))


def bits_per_character(labels: np.ndarray, logits: np.ndarray) -> float:
    """The mean of -log2 p(next character).

    >>> bits_per_character(np.array([[0, 1]]), np.zeros((1, 2, 4)))
    2.0
    """
    p = probabilities(logits)
    right = np.take_along_axis(p, labels[..., None].astype("int64"), axis=-1)
    return float(np.mean(-np.log2(np.maximum(right, np.finfo("float64").tiny))))


def accuracy_of_nearest(labels: np.ndarray, embeddings: np.ndarray, known, its_labels) -> float:
    """The fraction of samples whose nearest known sample bears their own label."""
    return float(np.mean(neighbours.nearest_labels(embeddings, known, its_labels) == labels))


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis, in float64."""
    e = np.exp(logits - logits.max(axis=-1, keepdims=True).astype("float64"))
    return e / e.sum(axis=-1, keepdims=True)


def most_likely(logits: np.ndarray) -> np.ndarray:
    """The index of the highest score."""
    return np.argmax(logits, axis=-1)


TASKS = {
    "classification": Task("accuracy", True, accuracy, "val_accuracy", most_likely),
    "next-character": Task(
        "bits per character", False, bits_per_character, "val_loss", most_likely
    ),
    "embedding": Task(
        "accuracy of the nearest neighbour",
        True,
        accuracy_of_nearest,
        "val_margin",
        neighbours.nearest_labels,
    ),
    "forecast": Task(
        "mean absolute percentage error",
        False,
        forecasts.percentage_error,
        "val_loss",
        forecasts.median,
    ),
}


def of(data) -> Task:
    """The task of some data."""
    if data.task not in TASKS:
        raise checks.error("Data", "task", f"one of {', '.join(map(repr, TASKS))}", data.task)
    return TASKS[data.task]


def gallery(data, model) -> tuple:
    """What `score` and `predicted` need beyond a model's outputs: nothing, or a gallery."""
    return neighbours.gallery(model, data) if data.task == "embedding" else ()


def validated(data) -> list[keras.callbacks.Callback]:
    """What adds to an epoch's logs what the task is judged by and Keras does not compute."""
    return [neighbours.Neighbours(data)] if data.task == "embedding" else []


def validation_logs(model, data) -> dict[str, float]:
    """What the logs of an epoch would say of the validation split, for a model as it stands."""
    results = pipeline.evaluate(model, *data.validation)
    logs = {f"val_{k}": v for k, v in results.items()}
    for callback in validated(data):
        callback.set_model(model)
        callback.on_epoch_end(0, logs)
    return logs


def higher_is_better(objective: str) -> bool:
    """Losses and errors are minimized, everything else is maximized.

    >>> higher_is_better("val_accuracy"), higher_is_better("val_loss")
    (True, False)
    """
    return not any(word in objective for word in ("loss", "error", "perplexity", "bits"))
