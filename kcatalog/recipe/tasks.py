"""The two kinds of task: how each is scored, and what trials and epochs are compared by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kcatalog import checks


@dataclass(frozen=True)
class Task:
    """How a task's predictions are judged.

    measure: the score's name for the reader, and `higher` whether more of it is better.
    score: (labels, logits) -> the measure.
    objective: the metric that `fit` reports on the validation split, to choose by.
    """

    measure: str
    higher: bool
    score: Callable[[np.ndarray, np.ndarray], float]
    objective: str


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


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis, in float64."""
    e = np.exp(logits - logits.max(axis=-1, keepdims=True).astype("float64"))
    return e / e.sum(axis=-1, keepdims=True)


TASKS = {
    "classification": Task("accuracy", True, accuracy, "val_accuracy"),
    "next-character": Task("bits per character", False, bits_per_character, "val_loss"),
}


def of(data) -> Task:
    """The task of some data."""
    if data.task not in TASKS:
        raise checks.error("Data", "task", f"one of {', '.join(map(repr, TASKS))}", data.task)
    return TASKS[data.task]


def higher_is_better(objective: str) -> bool:
    """Losses and errors are minimized, everything else is maximized.

    >>> higher_is_better("val_accuracy"), higher_is_better("val_loss")
    (True, False)
    """
    return not any(word in objective for word in ("loss", "error", "perplexity", "bits"))
