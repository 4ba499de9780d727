"""Sentences as users bring them: padded token ids, scores, or plain text."""

import numpy as np
from keras import ops

from kcatalog import checks


def tokens_and_lengths(owner, y_true, y_pred, mask_token_id=None, split=str.split, references=1):
    """Return references and predictions as int32 ids, masked ones moved to the end.

    Text is taken outside compiled functions only. There a sentence is a string, which `split` cuts
    into tokens, or a list of tokens; ids are then given afresh with each call.

    Args:
        owner: who asks, for the error.
        y_true: ids `(batch, length)`; or a list of sentences. With `references=None` also
            several for each prediction: ids `(batch, references, length)`, or lists of sentences.
        y_pred: ids `(batch, length)`, or scores `(batch, length, vocabulary)`, the largest of
            which counts; or a list of sentences.
        mask_token_id: the id that is no token but padding, or None.
        split: from a string to its tokens.
        references: 1, or None for any number.

    Returns:
        Ids `(batch, references, length)` and their numbers of tokens `(batch, references)`; then
        ids `(batch, length)` and their numbers of tokens `(batch,)` of the predictions.

    >>> _, lengths, ids, _ = tokens_and_lengths("Doc", [[3, 0, 0]], [[0, 5, 6]], mask_token_id=0)
    >>> ops.convert_to_numpy(lengths).tolist(), ops.convert_to_numpy(ids[:, :2]).tolist()
    ([[1]], [[5, 6]])
    """
    if _is_text(y_true) or _is_text(y_pred):
        y_true, y_pred = _ids_of_text(y_true, y_pred, split)
        mask_token_id = -1
    y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
    if len(y_pred.shape) == 3:
        y_pred = ops.argmax(y_pred, axis=-1)
    if len(y_pred.shape) != 2:
        rule = "ids (batch, length) or scores (batch, length, vocabulary)"
        raise checks.error(owner, "y_pred", rule, tuple(y_pred.shape))
    if len(y_true.shape) == 2:
        y_true = ops.expand_dims(y_true, axis=1)
    elif len(y_true.shape) != 3 or references not in (None, y_true.shape[1]):
        rule = "ids (batch, length)" + ("" if references else " or (batch, references, length)")
        raise checks.error(owner, "y_true", rule, tuple(y_true.shape))
    return *_packed(y_true, mask_token_id), *_packed(y_pred, mask_token_id)


def _packed(ids, mask_token_id):
    """Return the ids that count, in order, before the others, and the number that count."""
    ids = ops.cast(ids, "int32")
    if mask_token_id is None:
        return ids, ops.sum(ops.ones_like(ids), axis=-1)
    counts = ops.cast(ids != mask_token_id, "int32")
    length = ops.shape(ids)[-1]
    place = ops.arange(length, dtype="int32") + (1 - counts) * length
    return ops.take_along_axis(ids, ops.argsort(place, axis=-1), axis=-1), ops.sum(counts, axis=-1)


def _is_text(y):
    if isinstance(y, np.ndarray) and y.dtype.kind not in "OU":
        return False
    nested = isinstance(y, list | tuple | np.ndarray)
    return isinstance(y, str) or (nested and any(_is_text(element) for element in y))


def _depth(y):
    if isinstance(y, str):
        return 0
    return 1 + max((_depth(element) for element in y), default=0)


def _ids_of_text(y_true, y_pred, split):
    """Text on both sides as ids padded with -1; the same token has the same id in both."""
    tokenized = _depth(y_pred) > 1
    several = _depth(y_true) > 1 + tokenized
    ids = {}

    def encoded(sentence):
        tokens = sentence if tokenized else split(sentence)
        return [ids.setdefault(token, len(ids)) for token in tokens]

    groups = [s if several else [s] for s in y_true]
    y_true = [[encoded(s) for s in group] for group in groups]
    y_pred = [encoded(s) for s in y_pred]
    most = max(map(len, y_true), default=1)
    longest = max((len(s) for group in [*y_true, y_pred] for s in group), default=0)
    length = 1 << max(longest - 1, 0).bit_length()  # few different shapes: few compilations

    def padded(sentence):
        return sentence + [-1] * (length - len(sentence))

    references = [[padded(s) for s in group + [[]] * (most - len(group))] for group in y_true]
    return np.array(references, "int32"), np.array([padded(s) for s in y_pred], "int32")
