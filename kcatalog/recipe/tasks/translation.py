"""Translation: a text from a text, character by character."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from kcatalog.recipe.tasks.task import Task


def exact_match(y_true, y_pred):
    """Return 1 for each sample whose characters are all right, else 0: a metric for `compile`."""
    right = ops.equal(ops.cast(y_true, "int32"), ops.cast(ops.argmax(y_pred, -1), "int32"))
    return ops.cast(ops.all(right, axis=-1), "float32")


class Translation(Task):
    """A text from a text; models end in logits of characters (batch, steps, classes).

    A model reads source and target (`data.Pairs`). In training its logits are those of a decoder
    that reads the right characters; otherwise they are those of the characters that it generates
    from the source alone.
    """

    name, measure, better = "translation", "exact match", "higher"
    objective = ("val_exact_match", "max")
    metrics = ("exact_match",)
    ends_in = "logits of each character"
    pictures = ("sample predictions",)

    def output_shape(self, data: Any):
        return (*data.train[1].shape[1:], len(data.classes))

    def score(self, labels: Any, outputs: Any) -> float:
        """Return the share of texts without a mistake.

        >>> Translation().score(np.array([[1, 0], [1, 1]]), np.eye(2)[[[1, 0], [1, 0]]])
        0.5
        """
        return float(np.mean(np.all(self.predicted(outputs) == labels, axis=-1)))

    def predicted(self, outputs: Any):
        return np.argmax(outputs, axis=-1)

    def further(self, data: Any, outputs: Any):
        right = self.predicted(outputs) == data.test[1]
        return {"accuracy of characters": float(np.mean(right))}

    def positions(self, x, predicted: Any, data: Any):
        return [data.classes[i] for i in predicted], map(chr, x[: data.details.steps])

    def named(self, outputs: Any):
        return {"characters": ops.cast(ops.argmax(outputs, axis=-1), "int32")}

    def outputs(self, answers: Any):
        ids = answers["characters"]
        return np.eye(ids.max() + 1, dtype="float32")[ids]

    def signatures(self, served: Any, info):
        """Return the default: texts in, texts and the numbers of their characters out."""
        import tensorflow as tf

        codes = tf.constant([ord(c) if c else 0 for c in info.classes], tf.int32)

        def serve(x):
            answers = served.answer(x)
            found = tf.gather(codes, answers["characters"])
            found = tf.ragged.boolean_mask(found, found > 0)
            return {**answers, "translation": tf.strings.unicode_encode(found, "UTF-8")}

        return {"serving_default": served.of_raw(serve)}

    def describe(self, answer: Any, info):
        return {"translation": answer["translation"].decode()}
