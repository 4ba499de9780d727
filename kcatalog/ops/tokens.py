"""Sentences as users bring them: padded token ids, scores, or text."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from kcatalog import checks
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.targets import numbers
from kcatalog.types import Tensor

PADDING = -(2**31)  # an id that no vocabulary has


def ids_of(
    owner: object,
    y_true: Tensor,
    y_pred: Tensor,
    mask_token_id: int | None = None,
    split: Callable[[str], list[str]] = str.split,
) -> tuple[Any, ...]:
    """Return references and predictions as tensors of ids or scores, and the id that is padding.

    Text, lists whose rows differ in length, and ids beyond 32 bits are taken outside compiled
    functions only. There a sentence is a string, which `split` cuts into tokens, or a list of
    tokens; ids are then given afresh with each call, and `PADDING` fills the rows.

    Args:
        owner: who asks, for errors.
        y_true: a tensor, or a list of sentences, or of lists of sentences (several references).
        y_pred: a tensor, or a list of sentences.
        mask_token_id: the id that is no token but padding, or None.
        split: from a string to its tokens.

    >>> y, p, _ = ids_of("Doc", ["a b a"], ["b"])
    >>> ops.convert_to_numpy(y).tolist(), ops.convert_to_numpy(p)[0, 0].tolist()
    ([[[0, 1, 0, -2147483648]]], 1)
    """
    y_true = _listed(owner, "y_true", y_true)
    y_pred = _listed(owner, "y_pred", y_pred)
    if isinstance(y_true, list) or isinstance(y_pred, list):
        y_true, y_pred = _aligned(owner, y_true, y_pred)
        return *_ids_of_lists(y_true, y_pred, mask_token_id, split), PADDING
    y, p = numbers(owner, "y_true", y_true), numbers(owner, "y_pred", y_pred)
    return y, p if len(p.shape) < 3 else at_least_float32(p), mask_token_id


def tokens_and_lengths(
    owner: object,
    y_true: Tensor,
    y_pred: Tensor,
    padding: Any = None,
    mask: Tensor | None = None,
    references: int = 1,
) -> tuple[Any, ...]:
    """Return references and predictions as int32 ids, those that do not count at the end.

    Args:
        owner: who asks, for errors.
        y_true: ids `(batch, length)`. With `references=None` also several for each prediction,
            `(batch, references, length)`.
        y_pred: ids `(batch, length)`, or scores `(batch, length, vocabulary)`, the largest of
            which counts.
        padding: the id that is no token, or None.
        mask: None, or where the predictions' steps count, `(batch, length)`. References of the
            same length lose the same steps.
        references: 1, or None for any number.

    Returns:
        Ids `(batch, references, length)` and their numbers of tokens `(batch, references)`; then
        ids `(batch, length)` and their numbers of tokens `(batch,)` of the predictions.

    >>> y, p = ops.convert_to_tensor([[3, 0, 0]]), ops.convert_to_tensor([[0, 5, 6]])
    >>> _, lengths, ids, _ = tokens_and_lengths("Doc", y, p, padding=0)
    >>> ops.convert_to_numpy(lengths).tolist(), ops.convert_to_numpy(ids[:, :2]).tolist()
    ([[1]], [[5, 6]])
    """
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
    aligned = mask is not None and y_true.shape[-1] == y_pred.shape[-1]
    true_mask = ops.expand_dims(mask, axis=1) if aligned else None
    return *_packed(y_true, padding, true_mask), *_packed(y_pred, padding, mask)


def _packed(ids, padding, mask):
    """Return the ids that count, in order, before the others, and the number that count."""
    ids = ops.cast(ids, "int32")
    counts = ops.ones_like(ids)
    if padding is None and mask is None:
        return ids, ops.sum(counts, axis=-1)
    if padding is not None:
        counts = counts * ops.cast(ids != padding, "int32")
    if mask is not None:
        counts = counts * ops.cast(mask, "int32")
    length = ops.shape(ids)[-1]
    place = ops.arange(length, dtype="int32") + (1 - counts) * length
    return ops.take_along_axis(ids, ops.argsort(place, axis=-1), axis=-1), ops.sum(counts, axis=-1)


def _listed(owner, name, y):
    """Return text and rows of different lengths as nested lists, anything else as it is."""
    if isinstance(y, str | bytes):
        fix = "For one sentence write [sentence]."
        raise checks.error(owner, name, "a list of sentences", y, fix)
    if hasattr(y, "to_list") and hasattr(y, "row_splits"):  # a tf.RaggedTensor
        return _outside_of_steps(owner, name, y, lambda: y.to_list())
    if isinstance(y, np.ndarray | np.generic):
        return y.tolist() if y.dtype.kind in "OUST" or _is_long(y) else y
    if isinstance(y, list | tuple):
        try:
            array = np.asarray(y)
            padded = array.dtype.kind in "biuf" and array.ndim > 1 and not _is_long(array)
            return array if padded else list(y)
        except ValueError:  # rows of different lengths
            return list(y)
        except Exception:  # a list of tensors, which the backend reads
            return y
    if keras.backend.standardize_dtype(getattr(y, "dtype", "float32")) == "string":
        return _outside_of_steps(owner, name, y, lambda: ops.convert_to_numpy(y).tolist())
    return y


def _is_long(ids):
    """Return whether ids, of hashing for example, do not fit into 32 bits."""
    return bool(np.any((ids >= 2**31) | (ids <= PADDING)))


def _outside_of_steps(owner, name, y, read):
    try:
        return read()
    except Exception as e:  # while a step is traced: each backend raises an error of its own
        fix = "Text is read outside of compiled steps: compile(..., run_eagerly=True)."
        raise checks.error(owner, name, "token ids within a compiled step", str(y), fix) from e


def _aligned(owner, y_true, y_pred):
    """Check references and predictions for one form; a list of references for each prediction."""
    y_true, y_pred = (y.tolist() if hasattr(y, "tolist") else y for y in (y_true, y_pred))
    y_true, y_pred = _plain(y_true), _plain(y_pred)
    forms = {}
    for name, y in (("y_true", y_true), ("y_pred", y_pred)):
        forms[name] = _forms(y)
        if len(forms[name]) > 1:
            rule = "sentences of one form: all strings, or all lists of tokens"
            raise checks.error(owner, name, rule, y)
    (depth, kind), (depth_true, kind_true) = (
        next(iter(forms[name]), (None, None)) for name in ("y_pred", "y_true")
    )
    if len(y_true) != len(y_pred):
        rule = f"one reference, or list of references, for each of the {len(y_pred)} predictions"
        raise checks.error(owner, "y_true", rule, y_true)
    if depth not in (1, 2, None) or (depth == 1 and kind == "number"):
        rule = "a list of sentences: strings or lists of tokens"
        raise checks.error(owner, "y_pred", rule, y_pred)
    if None not in (depth, depth_true) and (depth_true - depth not in (0, 1) or kind_true != kind):
        rule = "sentences of the form that `y_pred` has, or lists of these"
        raise checks.error(owner, "y_true", rule, y_true, f"The first of `y_pred`: {y_pred[0]!r}.")
    tokenized = depth == 2 if depth else (depth_true or 1) > 1
    several = depth_true == 2 + tokenized
    return [s if several else [s] for s in y_true], y_pred


def _plain(y):
    """Return nested lists of strings and numbers."""
    if isinstance(y, bytes):
        return y.decode("utf-8")
    if isinstance(y, list | tuple):
        return [_plain(element) for element in y]
    if hasattr(y, "tolist"):
        return _plain(y.tolist())
    return y


def _forms(y, depth=0):
    """Return how deep in nested lists something stands, and whether that is text or a number."""
    if isinstance(y, list):
        return set().union(*(_forms(element, depth + 1) for element in y))
    return {(depth, "text" if isinstance(y, str) else "number")}


def _ids_of_lists(y_true, y_pred, mask_token_id, split):
    """Give ids to tokens, the same to the same token on both sides."""
    ids = {}

    def encoded(sentence):
        tokens = split(sentence) if isinstance(sentence, str) else sentence
        return [ids.setdefault(token, len(ids)) for token in tokens if token != mask_token_id]

    y_true = [[encoded(s) for s in group] for group in y_true]
    y_pred = [encoded(s) for s in y_pred]
    most = max(map(len, y_true), default=1)
    longest = max((len(s) for group in [*y_true, y_pred] for s in group), default=0)
    length = 1 << max(longest - 1, 0).bit_length()  # few different shapes: few compilations

    def padded(sentence):
        return sentence + [PADDING] * (length - len(sentence))

    references = [[padded(s) for s in group + [[]] * (most - len(group))] for group in y_true]
    predictions = [padded(s) for s in y_pred]
    return (
        ops.convert_to_tensor(np.reshape(np.array(references, "int32"), (-1, most, length))),
        ops.convert_to_tensor(np.reshape(np.array(predictions, "int32"), (-1, length))),
    )
