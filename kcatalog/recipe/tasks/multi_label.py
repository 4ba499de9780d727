"""Multi-label classification: any number of labels for a sample."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from kcatalog import checks
from kcatalog.recipe.data.base import need
from kcatalog.recipe.tasks.task import Task

MEASURES = ("macro F1", "micro F1", "mean average precision")
MOST_NAMED = 20  # labels whose F1 is printed


class MultiLabel(Task):
    """Any number of labels a sample, 0 or 1 each; models end in logits (batch, labels).

    Args:
        measure: "macro F1", "micro F1" or "mean average precision".
        threshold: the probability from which on a sample has a label.
    """

    name, better = "multi-label", "higher"
    pictures = ("f1 by label",)
    activation, ends_in = "sigmoid", "a logit for each label, no probabilities"
    output_name = "scores"

    def __init__(self, measure: str = "macro F1", threshold: float = 0.5):
        self.threshold = checks.number(self, "threshold", threshold, "(0, 1)")
        self.measure = checks.choice(self, "measure", measure, MEASURES)

    def output_shape(self, data: Any):
        return (len(data.classes),)

    def score(self, labels: Any, outputs: Any) -> float:
        """Return the measure, of labels that are 0 or 1.

        >>> y, outputs = np.array([[1, 0], [1, 1]]), np.array([[3.0, -3.0], [3.0, -3.0]])
        >>> MultiLabel().score(y, outputs), MultiLabel("micro F1").score(y, outputs)
        (0.5, 0.8)
        """
        return self._scores(labels, outputs)[self.measure]

    def _scores(self, labels, outputs) -> dict[str, float]:
        metrics, predicted = need("sklearn.metrics", "scikit-learn"), self.predicted(outputs)
        labels = labels.astype(int)
        known = labels.any(axis=0)  # average precision has no meaning without any example
        precision = metrics.average_precision_score(labels[:, known], outputs[:, known])
        return {
            "macro F1": float(np.mean(f1(labels, predicted))),
            "micro F1": float(f1(labels.ravel()[:, None], predicted.ravel()[:, None])[0]),
            "mean average precision": float(precision) if known.any() else float("nan"),
        }

    def predicted(self, outputs: Any):
        return (sigmoid(outputs) >= self.threshold).astype("int32")

    def further(self, data: Any, outputs: Any):
        scores = self._scores(data.test[1], outputs)
        del scores[self.measure]
        each = f1(data.test[1], self.predicted(outputs))[:MOST_NAMED]
        named = {f"F1 of {k}": float(v) for k, v in zip(data.classes, each, strict=False)}
        return {k: v for k, v in {**scores, **named}.items() if np.isfinite(v)}

    def named(self, outputs: Any):
        scores = ops.cast(outputs, "float32")
        return {"scores": scores, "probabilities": ops.sigmoid(scores)}

    def describe(self, answer: Any, info):
        """Return the labels that the sample has, and the probability of each label."""
        p = answer["probabilities"].tolist()
        named = dict(zip(info.classes, p, strict=True))
        return {
            "labels": [name for name, value in named.items() if value >= self.threshold],
            "probabilities": named,
        }

    def cells(self, described: Any):
        p = described["probabilities"]
        return {"labels": ", ".join(f"{n} {p[n]:.3f}" for n in described["labels"]) or "none"}


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return the logistic function, in float64."""
    return 1 / (1 + np.exp(-np.clip(logits.astype("float64"), -500, 500)))


def f1(labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return each label's F1; 0 for a label that is neither there nor predicted.

    >>> f1(np.array([[1, 0], [1, 1]]), np.array([[1, 0], [0, 0]])).round(3).tolist()
    [0.667, 0.0]
    """
    right = (labels * predicted).sum(axis=0)
    return 2 * right / np.maximum(labels.sum(axis=0) + predicted.sum(axis=0), 1)
