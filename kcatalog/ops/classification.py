"""Confusion counts of classification metrics."""

from keras import ops

from kcatalog import checks
from kcatalog.ops.weights import weights_like


def true_and_predicted(owner, y_true, y_pred, num_classes, threshold=0.5):
    """Targets and predictions as class indices, int32, of one shape.

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
        p = ops.ceil(ops.cast(y_pred, "float32") - threshold)
        p = ops.clip(p, 0, num_classes - 1)
        p = p if len(p.shape) < 2 else ops.squeeze(p, axis=-1)
    else:
        rule = f"scores (batch, ..., {num_classes}), or one number for each sample"
        raise checks.error(owner, "y_pred", rule, tuple(y_pred.shape))
    one_hot = len(y_true.shape) > len(p.shape) and y_true.shape[-1] == num_classes
    y = ops.argmax(y_true, axis=-1) if one_hot else ops.reshape(y_true, ops.shape(p))
    return ops.cast(y, "int32"), ops.cast(p, "int32")


def confusion_matrix(y, p, num_classes, sample_weight=None):
    """`(classes, classes)` float32: at `[i, j]` the weight of what is `i` and was taken for `j`.

    Labels outside `[0, num_classes)` are left out, so that -1 may mark what is not to be counted.

    >>> ops.convert_to_numpy(confusion_matrix([0, 1, 1], [0, 1, 0], 2)).tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    y, p = ops.convert_to_tensor(y, "int32"), ops.convert_to_tensor(p, "int32")
    w = weights_like(sample_weight, y)
    known = ops.logical_and(y >= 0, y < num_classes)
    cell = ops.where(known, y * num_classes + p, 0)
    w = ops.where(known, w, 0.0)
    flat = ops.segment_sum(ops.reshape(w, (-1,)), ops.reshape(cell, (-1,)), num_classes**2)
    return ops.reshape(flat, (num_classes, num_classes))
