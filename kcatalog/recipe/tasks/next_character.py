"""Text: the character that comes next."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from kcatalog.recipe.tasks.classification import Classes, softmax

REPLACEMENT = 0xFFFD  # for bytes that are no UTF-8


class NextCharacter(Classes):
    """The character after each one; causal models end in logits (batch, steps, classes)."""

    name, measure, better = "next-character", "bits per character", "lower"
    generates = True
    pictures = (
        "confusion matrix",
        "sample predictions",
        "table of worst mistakes",
        "calibration",
    )

    def score(self, labels: Any, outputs: Any) -> float:
        """Return the mean of -log2 p(next character).

        >>> NextCharacter().score(np.array([[0, 1]]), np.zeros((1, 2, 4)))
        2.0
        """
        right = np.take_along_axis(softmax(outputs), labels[..., None].astype("int64"), axis=-1)
        return float(np.mean(-np.log2(np.maximum(right, np.finfo("float64").tiny))))

    def named(self, outputs: Any):
        return {"probabilities": ops.softmax(ops.cast(outputs, "float32")[:, -1])}

    def outputs(self, answers: Any):
        return np.log(np.maximum(answers["probabilities"], np.finfo("float32").tiny))

    def request(self, x):
        return np.array(["".join(map(chr, codes)) for codes in x])

    def signatures(self, served: Any, info):
        """Return the default, text -> probabilities of the character that comes next, and `step`,
        the same with the recurrent layers' state in and out.

        Texts of different length share a batch. They are padded at the end: as the model is
        causal, the padding does not change the answer at a text's last character.
        """
        import tensorflow as tf

        def read(text):
            text = tf.where(text == "", "\n", text)  # an empty text: the beginning of a line
            codes = tf.strings.unicode_decode(text, "UTF-8", replacement_char=REPLACEMENT)
            lengths = tf.cast(codes.row_lengths(), tf.int32)
            return tf.cast(codes.to_tensor(), served.raw.dtype), lengths

        def at_the_end(scores, lengths):
            last = tf.gather(tf.cast(scores, tf.float32), lengths - 1, axis=1, batch_dims=1)
            return {"probabilities": tf.nn.softmax(last)}

        def serve(text):
            codes, lengths = read(text)
            return at_the_end(served(codes), lengths)

        def step(inputs):
            codes, lengths = read(inputs["text"])
            scores, after = served.step(codes, inputs, tf.sequence_mask(lengths))
            return {**at_the_end(scores, lengths), **after}

        text = tf.TensorSpec([None], tf.string, name="text")
        found = {"serving_default": (serve, text)}
        if served.states:
            found["step"] = (step, {"text": text, **served.states})
        return found
