"""Class labels as users bring them, in the one form that losses and metrics compute with."""

from keras import ops


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
