"""Binary classification: one logit, and a threshold."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from kcatalog import checks
from kcatalog.recipe.tasks.classification import Classification
from kcatalog.recipe.tasks.task import Task


class Binary(Classification):
    """One of two classes; models end in the logit of the second (batch, 1).

    Trials are compared by `val_loss`, as Keras's "accuracy" takes 0.5 for the threshold of logits.
    Add `keras.metrics.BinaryAccuracy(threshold=0.0)` to see the accuracy of each epoch.

    Args:
        threshold: the probability from which on a sample belongs to the second class.
    """

    name = "binary"
    objective = ("val_loss", "min")
    activation, ends_in = "sigmoid", "the logit of the second class, no probability"

    def __init__(self, threshold: float = 0.5):
        self.threshold = checks.number(self, "threshold", threshold, "(0, 1)")

    def output_shape(self, data: Any):
        return (1,)

    def conversion(self, model: keras.Model, data: Any):
        return Task.conversion(self, model, data)

    def predicted(self, outputs: Any):
        """Return 1 where the probability reaches the threshold.

        >>> Binary(threshold=0.6).predicted(np.array([[0.1], [2.0]])).tolist()
        [0, 1]
        """
        return (self.probabilities(outputs)[:, 1] >= self.threshold).astype("int32")

    def probabilities(self, outputs: Any) -> np.ndarray:
        return sigmoids(outputs)

    def further(self, data: Any, outputs: Any):
        from kcatalog.recipe.data.base import need

        metrics, labels = need("sklearn.metrics", "scikit-learn"), data.test[1]
        if len(np.unique(labels)) < 2:
            return {}
        predicted, p = self.predicted(outputs), self.probabilities(outputs)[:, 1]
        return {
            "area under the ROC curve": float(metrics.roc_auc_score(labels, p)),
            f"F1 of {data.classes[1]}": float(metrics.f1_score(labels, predicted, zero_division=0)),
        }

    def named(self, outputs: Any):
        z = ops.cast(outputs, "float32")
        p = ops.sigmoid(z)
        return {"scores": z, "probabilities": ops.concatenate([1 - p, p], axis=-1)}

    def chosen(self, answers: Any):
        import tensorflow as tf

        return tf.cast(answers["probabilities"][:, 1] >= self.threshold, tf.int32)


def sigmoids(logits: np.ndarray) -> np.ndarray:
    """Return (samples, 2): the probabilities of the first and of the second class, in float64."""
    p = 1 / (1 + np.exp(-np.clip(logits.astype("float64").reshape(len(logits), 1), -500, 500)))
    return np.concatenate([1 - p, p], axis=1)
