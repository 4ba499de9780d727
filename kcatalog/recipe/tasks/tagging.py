"""Tagging: one tag a token, scored by the spans that the tags make."""

from __future__ import annotations

import collections
from typing import Any

import numpy as np

from kcatalog.ops.spans import span_f1
from kcatalog.recipe.tasks.task import Task


class Tagging(Task):
    """A BIO tag for each token; models end in `kcatalog.layers.CRF`, (batch, tokens, classes).

    Classes are `O`, then `B-` and `I-` of each kind, as `kcatalog.recipe.data.Tagged` has them.
    Outputs of padding are zero.
    """

    name, measure, better = "tagging", "span F1", "higher"
    ends_in, output_name = "the output of kcatalog.layers.CRF", "path"
    pictures = ("confusion of tags",)

    def output_shape(self, data: Any):
        return (None, len(data.classes))

    def score(self, labels: Any, outputs: Any) -> float:
        """Return F1 of spans, right if kind, first and last token are.

        >>> path = np.eye(3)[[[1, 2, 0]]]
        >>> Tagging().score(np.array([[1, 2, 0]]), path), Tagging().score([[1, 0, 0]], path)
        (1.0, 0.0)
        """
        real = outputs.any(axis=-1)
        return span_f1(_named(labels, real), _named(self.predicted(outputs), real))

    def predicted(self, outputs: Any):
        return np.argmax(outputs, axis=-1)

    def further(self, data: Any, outputs: Any):
        """Return the accuracy of tags, and the score of each token's most frequent tag."""
        (x, y), real = data.test, outputs.any(axis=-1)
        seen = collections.defaultdict(collections.Counter)
        for tokens, tags in zip(tokens_of(data.train[0]), data.train[1], strict=True):
            for token, tag in zip(tokens, tags, strict=False):
                seen[token][int(tag)] += 1
        usual = {token: tags.most_common(1)[0][0] for token, tags in seen.items()}
        guessed = np.zeros_like(y)
        for row, tokens in zip(guessed, tokens_of(x), strict=True):
            row[: len(tokens)] = [usual.get(token, 0) for token in tokens]
        return {
            "accuracy of tags": float(np.mean((self.predicted(outputs) == y)[real])),
            "span F1 of each token's most frequent tag": span_f1(
                _named(y, real), _named(guessed, real)
            ),
        }

    def signatures(self, served: Any, info):
        """Return the default: sentences to tags, as numbers and, between spaces, as names."""
        import tensorflow as tf

        classes = tf.constant(info.classes)

        def serve(x):
            path = served.answer(x)["path"]
            tags = tf.argmax(path, axis=-1, output_type=tf.int32)
            real = tf.reduce_any(path > 0, axis=-1)
            names = tf.ragged.boolean_mask(tf.gather(classes, tags), real)
            return {
                "path": path,
                "tags": tags,
                "labels": tf.strings.reduce_join(names, axis=-1, separator=" "),
            }

        return {"serving_default": served.of_raw(serve)}

    def describe(self, answer: Any, info):
        return {"tags": answer["labels"].decode().split()}

    def cells(self, described: Any):
        pairs = zip(described["tokens"], described["tags"], strict=False)
        return {"tags": " ".join(t if g == "O" else f"{t}/{g}" for t, g in pairs)}


def tokens_of(codes: np.ndarray) -> list[list[str]]:
    """Return sentences of code points as tokens.

    >>> tokens_of(np.array([[[97, 98], [99, 0], [0, 0]]]))
    [['ab', 'c']]
    """
    return [["".join(map(chr, t[t > 0])) for t in sentence if t[0]] for sentence in codes]


def _named(tags, real) -> list[list[str]]:
    """Return numbers of tags as names, by the order of classes: O, B-0, I-0, B-1, ..."""

    def name(tag):
        return f"{'IB'[tag % 2]}-{(tag - 1) // 2}" if tag else "O"

    return [[name(int(k)) for k in row[r]] for row, r in zip(np.asarray(tags), real, strict=True)]
