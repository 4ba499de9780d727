"""Confusion counts of classification metrics."""

from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.ops.targets import class_targets, same_shape
from kcatalog.ops.weights import without_nan
from kcatalog.types import Tensor


def true_and_predicted(
    owner: object, y_true: Tensor, y_pred: Tensor, num_classes: int, threshold: float = 0.5
) -> tuple[Tensor, Tensor]:
    """Return targets, -1 for what is no class, and predictions as int32 indices of one shape.

    Scores are told from plain numbers by their last axis, which counts the classes. Of scores the
    largest counts, the first of equal ones. A number counts as the class `k` that lies within
    `k - 1 + threshold < number <= k + threshold`: a probability above `threshold` is
    class 1, and at 0.5 a number is rounded (a half downwards).

    Args:
        owner: who asks, for the error.
        y_true: indices `(batch, ...)` or `(batch, ..., 1)`, or one-hot `(batch, ..., classes)`.
        y_pred: scores `(batch, ..., classes)`, or numbers `(batch,)` or `(batch, ..., 1)`.
        num_classes: how many classes there are, 2 at least.
        threshold: where numbers change from one class to the next.

    >>> y, p = true_and_predicted("Doc", [1, 2], [[0.1, 0.7, 0.2], [0.5, 0.3, 0.2]], 3)
    >>> ops.convert_to_numpy(y).tolist(), ops.convert_to_numpy(p).tolist()
    ([1, 2], [1, 0])
    """
    y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
    scores = len(y_pred.shape) > 1 and y_pred.shape[-1] == num_classes
    if scores:
        p = ops.argmax(y_pred, axis=-1)
    elif len(y_pred.shape) < 2 or y_pred.shape[-1] == 1:
        p = ops.ceil(without_nan(ops.cast(y_pred, "float32")) - threshold)
        p = ops.clip(p, 0, num_classes - 1)
        p = p if len(p.shape) < 2 else ops.squeeze(p, axis=-1)
    else:
        rule = f"scores (batch, ..., {num_classes}), or one number for each sample"
        raise checks.error(owner, "y_pred", rule, tuple(y_pred.shape))
    one_hot = len(y_true.shape) > len(p.shape) and y_true.shape[-1] == num_classes
    y = ops.argmax(y_true, axis=-1) if one_hot else y_true
    same_shape(owner, y, p.shape, f"The shape of `y_pred` is {tuple(y_pred.shape)}.")
    y = ops.reshape(y, ops.shape(p))
    known = ops.logical_and(y >= 0, y < num_classes)  # before a cast to int32 cuts it off
    return ops.cast(ops.where(known, y, -1), "int32"), ops.cast(p, "int32")


def true_classes(owner: object, y_true: Tensor, scores: Tensor) -> tuple[Any, ...]:
    """Return targets as class indices in the shape of `scores` without its last axis, the classes.

    A label that is no class is an error where it can be seen, and else marked.

    Returns:
        int32 indices, and True for each that is no class (or None: there is none).

    >>> y, wrong = true_classes("Doc", [[2], [0]], ops.ones((2, 3)))
    >>> ops.convert_to_numpy(y).tolist(), bool(ops.any(wrong))
    ([2, 0], False)
    """
    targets = class_targets(owner, y_true, scores.shape)
    if len(targets.values.shape) == len(scores.shape):
        return ops.cast(ops.argmax(targets.values, axis=-1), "int32"), None
    return targets.values, ops.isnan(targets.faults)


def confusion_matrix(y: Tensor, p: Tensor, num_classes: int, w: Tensor | None = None) -> Tensor:
    """`(classes, classes)` float32: at `[i, j]` the weight of what is `i` and was taken for `j`.

    Labels outside `[0, num_classes)` are left out, so that -1 may mark what is not to be counted.

    Args:
        y: class indices `(batch, ...)`.
        p: what they were taken for, of the same shape.
        num_classes: how many classes there are.
        w: weights of the same shape, float32; None counts.

    >>> ops.convert_to_numpy(confusion_matrix([0, 1, 1], [0, 1, 0], 2)).tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    y, p = ops.convert_to_tensor(y, "int32"), ops.convert_to_tensor(p, "int32")
    w = ops.ones_like(y, dtype="float32") if w is None else w
    known = ops.logical_and(y >= 0, y < num_classes)
    cell = ops.where(known, y * num_classes + p, 0)
    w = ops.where(known, w, 0.0)
    flat = ops.segment_sum(ops.reshape(w, (-1,)), ops.reshape(cell, (-1,)), num_classes**2)
    return ops.reshape(flat, (num_classes, num_classes))
