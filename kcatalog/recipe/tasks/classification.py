"""Classification: one class a sample."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from kcatalog.recipe.tasks import heads
from kcatalog.recipe.tasks.task import Task

TOP = 5  # classes listed


class Classes(Task):
    """Tasks whose models end in logits, one a class, along the last axis."""

    activation, ends_in = "softmax", "logits, one for each class, no probabilities"
    output_name = "scores"

    def output_shape(self, data: Any):
        return (*data.train[1].shape[1:], len(data.classes))

    def predicted(self, outputs: Any):
        return np.argmax(outputs, axis=-1)

    def probabilities(self, outputs: Any) -> np.ndarray:
        return softmax(outputs)

    def named(self, outputs: Any):
        scores = ops.cast(outputs, "float32")
        return {"scores": scores, "probabilities": ops.softmax(scores)}


class Classification(Classes):
    """One class per sample; models end in logits (batch, classes)."""

    name, measure, better = "classification", "accuracy", "higher"
    objective = ("val_accuracy", "max")
    metrics = ("accuracy", "acc", "binary_accuracy", "sparse_categorical_accuracy")
    stratified = True
    pictures = (
        "confusion matrix",
        "sample predictions",
        "worst mistakes",
        "table of worst mistakes",
        "precision and recall",
        "calibration",
    )

    def conversion(self, model: keras.Model, data: Any):
        """Return the function to logits, also from the one output of a binary classifier."""
        if model.outputs[0].shape[1:] != (1,) or len(data.classes) != 2:
            return super().conversion(model, data)
        found = heads.head(model)
        if found == "softmax":  # which is 1 for whatever there is
            return None
        logit = heads.inverse("sigmoid") if found else lambda z: ops.cast(z, "float32")
        return lambda outputs: ops.concatenate([0 * logit(outputs), logit(outputs)], axis=-1)

    def score(self, labels: Any, outputs: Any) -> float:
        """Return the accuracy: the fraction of samples whose highest score is their label's.

        >>> Classification().score(np.array([0, 1]), np.array([[2.0, 1.0], [2.0, 1.0]]))
        0.5
        """
        return float(np.mean(self.predicted(outputs) == labels))

    def signatures(self, served: Any, info):
        """Return the default with a label, `scores` alone, `top_classes`, `classify` as TensorFlow
        Serving has it, and `serving_bytes` for images."""
        import tensorflow as tf

        classes, answer = tf.constant(info.classes), served.answer

        def serve(x):
            answers = answer(x)
            return {**answers, "label": tf.gather(classes, self.chosen(answers))}

        def top(x):
            p = answer(x)["probabilities"]
            highest, places = tf.math.top_k(p, min(TOP, len(info.classes)))
            return {"top_labels": tf.gather(classes, places), "top_probabilities": highest}

        def classify(x):
            answers = top(x)
            return {"classes": answers["top_labels"], "scores": answers["top_probabilities"]}

        def first(x):
            answers = answer(x)
            chosen = self.chosen(answers)
            probability = tf.gather(answers["probabilities"], chosen, batch_dims=1)
            return {"label": tf.gather(classes, chosen), "probability": probability, **top(x)}

        return {
            "serving_default": served.of_raw(serve),
            "scores": served.of_raw(lambda x: {"scores": answer(x)["scores"]}),
            "top_classes": served.of_raw(top),
            "classify": served.of_examples(classify),
            "serving_bytes": served.of_images(first),
        }

    def chosen(self, answers: Any):
        """Return the class of each sample, inside the exported graph."""
        import tensorflow as tf

        return tf.argmax(answers["scores"], axis=-1)

    def describe(self, answer: Any, info):
        p = answer["probabilities"]
        most = [int(i) for i in np.argsort(-p, kind="stable")[:TOP]]
        return {
            "label": answer["label"].decode(),
            "probability": float(p[info.classes.index(answer["label"].decode())]),
            "probabilities": {info.classes[i]: float(p[i]) for i in most},
        }

    def cells(self, described: Any):
        return {"label": described["label"], "probability": f"{described['probability']:.3f}"}


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the softmax over the last axis, in float64."""
    e = np.exp(logits - logits.max(axis=-1, keepdims=True).astype("float64"))
    return e / e.sum(axis=-1, keepdims=True)
