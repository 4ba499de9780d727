"""Class labels as users bring them, in the one form that losses and metrics compute with."""

from keras import ops

from kcatalog import checks
from kcatalog.ops.samples import same_rank


def flat_labels(labels):
    """Labels of shape `(batch,)` or `(batch, 1)` as `(batch,)`.

    >>> tuple(flat_labels(ops.ones((3, 1))).shape)
    (3,)
    """
    return ops.reshape(ops.convert_to_tensor(labels), (-1,))


def class_indices(labels, scores, axis=-1):
    """Labels as int32 class indices of the shape of `scores` with 1 along `axis`.

    >>> tuple(class_indices(ops.ones((3,)), ops.ones((3, 5))).shape)
    (3, 1)
    """
    labels = ops.convert_to_tensor(labels)
    if len(labels.shape) < len(scores.shape):
        labels = ops.expand_dims(labels, axis)
    return ops.cast(labels, "int32")


def is_distribution(labels, scores, axis=-1):
    """Return whether labels name every class along `axis` (one-hot rows).

    >>> is_distribution(ops.ones((3, 5)), ops.ones((3, 5)))
    True
    >>> is_distribution(ops.ones((3, 1)), ops.ones((3, 5)))
    False
    """
    if len(labels.shape) != len(scores.shape) or scores.shape[axis] == 1:
        return False
    return labels.shape[axis] == scores.shape[axis]


def class_distribution(labels, scores, axis=-1, label_smoothing=0.0):
    """Targets as a distribution over classes, of the shape and dtype of `scores`.

    Class indices `(batch, ...)` or, along `axis`, `(batch, ..., 1)` become one-hot; what already
    has the shape of `scores` (one-hot rows, or probabilities) stays as it is. Smoothing then
    moves the part `label_smoothing` to all classes alike.

    >>> [float(p) for p in class_distribution(ops.ones((1,)), ops.ones((1, 2)))[0]]
    [0.0, 1.0]
    """
    labels = ops.convert_to_tensor(labels)
    if is_distribution(labels, scores, axis):
        p = ops.cast(labels, scores.dtype)
    else:
        y = class_indices(labels, scores, axis)
        classes = scores.shape[axis]
        along = [classes if i == axis % len(scores.shape) else 1 for i in range(len(scores.shape))]
        p = ops.cast(y == ops.reshape(ops.arange(classes, dtype="int32"), along), scores.dtype)
    if not label_smoothing:
        return p
    return (1 - label_smoothing) * p + label_smoothing / scores.shape[axis]


def signs(labels, scores):
    """Labels of two classes, 0/1 or -1/+1, as -1/+1 in the rank and dtype of `scores`.

    Each label is read by itself: Keras's hinges turn 0 into -1 only where the whole batch is 0/1.
    Labels `(batch, ...)` fit scores `(batch, ..., 1)`, and the other way round.

    >>> [float(y) for y in signs(ops.convert_to_tensor([0, 1, -1]), ops.ones((3,)))]
    [-1.0, 1.0, -1.0]
    """
    y = same_rank(labels, scores)
    return ops.where(y > 0, ops.ones_like(scores), -ops.ones_like(scores))


def per_class(owner, name, values, scores, axis=-1):
    """Lay the list `values`, one number a class, along `axis` to multiply `scores` with.

    Where their number is not that of the classes, the error names `owner` and its argument `name`.

    >>> tuple(per_class("Loss", "counts", [1, 2, 3], ops.ones((5, 3, 4)), axis=1).shape)
    (3, 1)
    """
    classes = scores.shape[axis]
    if len(values) != classes:
        rule = f"a list of {classes}, one for each class"
        raise checks.error(owner, name, rule, values)
    after = len(scores.shape) - 1 - axis % len(scores.shape)
    return ops.reshape(ops.convert_to_tensor(values, dtype=scores.dtype), (classes, *[1] * after))
