"""Class labels as users bring them, in the one form that losses and metrics compute with."""

import keras
import numpy as np
from keras import ops

from kcatalog import checks
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.samples import same_rank
from kcatalog.ops.targets import numbers
from kcatalog.types import Tensor


def flat_labels(labels: Tensor) -> Tensor:
    """Labels of shape `(batch,)` or `(batch, 1)` as `(batch,)`.

    >>> tuple(flat_labels(ops.ones((3, 1))).shape)
    (3,)
    """
    return ops.reshape(ops.convert_to_tensor(labels), (-1,))


def labels_of(owner: object, name: str, labels: Tensor, samples: Tensor | None = None) -> Tensor:
    """Return one label a sample, `(batch,)`, of which two are equal where they were as given.

    Whole numbers of any dtype are int64, and never pass through a float; on JAX they have the 32
    bits of its whole numbers, and those of an array are numbered anew. What is not one label for
    each of `samples` raises the error of `owner`'s argument `name`.

    >>> a, b = labels_of("Doc", "y", np.array([5, 2**32 + 5]))
    >>> bool(a == b)
    False
    >>> labels_of("Doc", "y", ops.ones((2, 3)))
    Traceback (most recent call last):
    ValueError: Doc: `y` must be one label a sample, (batch,) or (batch, 1). ... keras.ops.argmax...
    """
    labels = labels if ops.is_tensor(labels) else _whole_array(labels)
    labels = numbers(owner, name, labels)
    shape = tuple(labels.shape)
    if shape[1:] not in ((), (1,)) or not shape:
        fix = f"For one-hot rows: keras.ops.argmax({name}, axis=-1)." if len(shape) == 2 else ""
        raise checks.error(owner, name, "one label a sample, (batch,) or (batch, 1)", shape, fix)
    if None not in (samples, shape[0]) and samples != shape[0]:
        raise checks.error(owner, name, f"one label for each of the {samples} samples", shape)
    labels = ops.reshape(labels, (-1,))
    if "float" in keras.backend.standardize_dtype(labels.dtype):
        return at_least_float32(labels)
    return ops.cast(labels, whole_dtype())


def _whole_array(labels):
    """Return labels that are no tensor as an array that the backend takes without a loss."""
    try:
        array = np.asarray(labels)
    except Exception:  # rows of different lengths, or tensors of a step that is traced
        return labels
    if array.dtype.kind not in "biuf":
        return labels
    if array.dtype.itemsize == 8 and whole_dtype() != "int64":
        array = np.unique(array, return_inverse=True)[1].reshape(array.shape)
    return array.astype("int64") if array.dtype == "uint64" else array


def whole_dtype() -> str:
    """Return the dtype of the widest whole numbers: int64, but on JAX int32 unless it is told to.

    >>> whole_dtype() in ("int32", "int64")
    True
    """
    return keras.backend.standardize_dtype(ops.convert_to_tensor(np.zeros((), "int64")).dtype)


def class_indices(labels: Tensor, scores: Tensor, axis: int = -1) -> Tensor:
    """Labels as int32 class indices of the shape of `scores` with 1 along `axis`.

    >>> tuple(class_indices(ops.ones((3,)), ops.ones((3, 5))).shape)
    (3, 1)
    """
    labels = ops.convert_to_tensor(labels)
    if len(labels.shape) < len(scores.shape):
        labels = ops.expand_dims(labels, axis)
    return ops.cast(labels, "int32")


def is_distribution(labels: Tensor, scores: Tensor, axis: int = -1) -> bool:
    """Return whether labels name every class along `axis` (one-hot rows).

    >>> is_distribution(ops.ones((3, 5)), ops.ones((3, 5)))
    True
    >>> is_distribution(ops.ones((3, 1)), ops.ones((3, 5)))
    False
    """
    if len(labels.shape) != len(scores.shape) or scores.shape[axis] == 1:
        return False
    return labels.shape[axis] == scores.shape[axis]


def class_distribution(
    labels: Tensor, scores: Tensor, axis: int = -1, label_smoothing: float = 0.0
) -> Tensor:
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


def signs(labels: Tensor, scores: Tensor) -> Tensor:
    """Labels of two classes, 0/1 or -1/+1, as -1/+1 in the rank and dtype of `scores`.

    Each label is read by itself: Keras's hinges turn 0 into -1 only where the whole batch is 0/1.
    Labels `(batch, ...)` fit scores `(batch, ..., 1)`, and the other way round.

    >>> [float(y) for y in signs(ops.convert_to_tensor([0, 1, -1]), ops.ones((3,)))]
    [-1.0, 1.0, -1.0]
    """
    y = same_rank(labels, scores)
    return ops.where(y > 0, ops.ones_like(scores), -ops.ones_like(scores))


def per_class(owner: object, name: str, values: Tensor, scores: Tensor, axis: int = -1) -> Tensor:
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
