"""Targets and weights as users bring them: read once, and refused where they disagree.

Shapes are compared whenever they are known, while a step is traced as well. Values are looked at
where that is free: before they are a tensor, eagerly on the CPU, and in TensorFlow graphs.
Elsewhere a target that is none makes the loss NaN.
"""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from kcatalog import checks
from kcatalog.ops.precision import at_least_float32
from kcatalog.types import Shape, Tensor


class Targets(NamedTuple):
    """Targets that a loss can compute with.

    values: the targets. counts: None, or True for each target that counts. faults: None, or a
    number for each target, 0 where it can be learned and NaN where it cannot.
    """

    values: Any
    counts: Any = None
    faults: Any = None


def numbers(owner: object, name: str, x: Tensor, dtype: str | None = None) -> Tensor:
    """Return `x` as a tensor of `dtype`; None leaves a tensor's or an array's own.

    Text, and lists whose rows differ in length, raise the error of `owner`'s argument `name`.

    >>> numbers("Doc", "y_true", ["cat", "dog"])
    Traceback (most recent call last):
    ValueError: Doc: `y_true` must be numbers. Received: y_true=['cat', 'dog'] (list). ...
    """
    if isinstance(x, str | bytes | list | tuple | np.ndarray | np.generic):
        try:
            kind = np.asarray(x).dtype.kind
        except ValueError as e:
            fix = "Pad the rows to one length."
            raise checks.error(owner, name, "rows of one length", x, fix) from e
        except Exception:  # a list of tensors, which the backend reads
            kind = "f"
        text = kind in "USO"
    else:
        text = keras.backend.standardize_dtype(getattr(x, "dtype", "float32")) == "string"
    if text:
        shown = x if isinstance(x, list | str | bytes) else tuple(x.shape)
        fix = "Turn text into numbers first, by keras.layers.StringLookup for example."
        raise checks.error(owner, name, "numbers", shown, fix)
    if isinstance(x, np.ndarray) and x.dtype == "uint64":
        x = x.astype("int64")  # PyTorch has no other
    return ops.convert_to_tensor(x, dtype=dtype)


def readable(x: Tensor) -> Tensor | None:
    """Return the values of `x` as a NumPy array, or None where reading them would not be free.

    >>> readable([1, 2]).tolist()
    [1, 2]
    """
    if isinstance(x, int | float | list | tuple | np.ndarray | np.generic):
        return np.asarray(x)
    on_cpu = "cpu" in str(getattr(x, "device", "cpu")).lower()
    if not on_cpu or isinstance(x, keras.KerasTensor):
        return None
    try:
        return np.asarray(ops.convert_to_numpy(x))
    except Exception:  # while a step is traced: each backend raises an error of its own
        return None


def same_samples(owner: object, y_true: Tensor, y_pred: Tensor) -> None:
    """Raise unless there are as many targets as predictions.

    >>> same_samples("Doc", ops.ones((2,)), ops.ones((3, 4)))
    Traceback (most recent call last):
    ValueError: Doc: `y_true` must be ... each of the 3 predictions. ... y_true=(2,) (tuple)...
    """
    if not _agree(y_true.shape[:1], y_pred.shape[:1]):
        rule = f"one target for each of the {y_pred.shape[0]} predictions"
        fix = f"The shape of `y_pred` is {tuple(y_pred.shape)}."
        raise checks.error(owner, "y_true", rule, tuple(y_true.shape), fix)


def same_shape(owner: object, y_true: Tensor, shape: Shape, fix: str = "") -> None:
    """Raise unless targets have this shape; a last axis of 1 may be there or not.

    >>> same_shape("Doc", ops.ones((2, 3)), (3, 2))
    Traceback (most recent call last):
    ValueError: Doc: `y_true` must be of shape (3, 2). Received: y_true=(2, 3) (tuple).
    """
    given, shape = tuple(y_true.shape), tuple(shape)
    squeezed = shape[:-1] if shape[-1:] == (1,) else shape
    if not any(_agree(given, s) for s in {shape, squeezed, (*shape, 1)}):
        raise checks.error(owner, "y_true", f"of shape {_text(shape)}", given, fix)


def class_targets(
    owner: object,
    y_true: Tensor,
    shape: Shape,
    axis: int = -1,
    ignore_class: int | None = None,
    one_hot: bool = True,
) -> Targets:
    """Return the `Targets` of scores of this shape, whose `axis` counts the classes.

    Class indices become int32, the axis of classes left out, those that count for nothing 0. A
    distribution over the classes stays as it is where `one_hot` allows it; with `ignore_class`
    one that has all its mass there does not count.

    >>> class_targets("Doc", [0, 3], (2, 3))
    Traceback (most recent call last):
    ValueError: Doc: `y_true` must be class indices from 0 to 2. Received: y_true=3 (int). ...
    """
    y = numbers(owner, "y_true", y_true)
    y = ops.cast(y, "int32") if keras.backend.standardize_dtype(y.dtype) == "bool" else y
    shape, axis = tuple(shape), axis % len(shape)
    classes, others = shape[axis], (*shape[:axis], *shape[axis + 1 :])
    given = tuple(y.shape)
    if one_hot and len(given) == len(shape) and classes != 1 and _agree(given, shape):
        return _distributions(y, classes, axis, ignore_class)
    y = without_axis(y, shape, axis)
    if not _agree(y.shape, others):
        form = f"class indices {_text(others)}" + f", or one-hot {_text(shape)}" * one_hot
        fix = f"Axis {axis} of `y_pred`, {_text(shape)}, counts the classes."
        raise checks.error(owner, "y_true", form, given, fix)

    y, known = ops.cast(y, "int32"), _is_class(y, classes)
    counts = None if ignore_class is None else y != ignore_class
    values = readable(y_true)
    if values is None:
        values = readable(y)
    if values is not None and classes is not None:
        _refuse_strangers(owner, values, classes, ignore_class)
    usable = known if counts is None else ops.logical_and(known, counts)
    learnable = known if counts is None else ops.logical_or(known, ops.logical_not(counts))
    if values is None and classes is not None:
        stop_graph_unless(learnable, _no_class(owner, "another label", classes, ignore_class))
    return Targets(ops.where(usable, y, 0), counts, nan_unless(learnable))


def without_axis(y: Tensor, shape: Shape, axis: int) -> Tensor:
    """Return `y` without an `axis` of 1 that it has in place of the scores' axis of classes.

    >>> tuple(without_axis(ops.ones((2, 1)), (2, 3), -1).shape)
    (2,)
    """
    there = len(y.shape) == len(shape) and y.shape[axis] == 1
    return ops.squeeze(y, axis) if there else y


def _distributions(y, classes, axis, ignore_class):
    counts = None
    if ignore_class is not None:
        along = [classes if i == axis else 1 for i in range(len(y.shape))]
        others = ops.reshape(ops.arange(classes, dtype="int32") != ignore_class, along)
        counts = ops.any(ops.logical_and(others, y > 0), axis=axis)
    return Targets(y, counts)


def _is_class(y, classes):
    known = y >= 0
    if classes is not None:
        known = ops.logical_and(known, y < classes)
    if "float" in keras.backend.standardize_dtype(y.dtype):
        known = ops.logical_and(known, y == ops.floor(y))
    return known


def _refuse_strangers(owner, values, classes, ignore_class):
    known = (values >= 0) & (values < classes) & (values == np.floor(values))
    strangers = values[~(known | (values == ignore_class))]
    if strangers.size:
        raise _no_class(owner, strangers.flat[0].item(), classes, ignore_class)


def _no_class(owner, label, classes, ignore_class):
    fix = "Labels count from 0."
    if ignore_class is None:
        fix += " Where the loss has ignore_class, that class may mark what does not count."
    return checks.error(owner, "y_true", f"class indices from 0 to {classes - 1}", label, fix)


def two_classes(
    owner: object, y_true: Tensor, y_pred: Tensor, ignore_class: int | None = None
) -> Targets:
    """Return the `Targets` of one score for two classes, 0/1 or -1/+1, in the shape of scores.

    >>> tuple(two_classes("Doc", [0, 1], ops.ones((2, 1))).values.shape)
    (2,)
    """
    y = numbers(owner, "y_true", y_true)
    same_shape(owner, y, y_pred.shape)
    counts = None if ignore_class is None else y != ignore_class
    return Targets(y, counts, y if "float" in str(y.dtype) else None)


def between_0_and_1(owner: object, y_true: Tensor) -> Tensor:
    """Raise if a target lies outside [0, 1] where that can be seen; return 0 or NaN for each.

    >>> between_0_and_1("Doc", np.array([0, 255], "uint8"))
    Traceback (most recent call last):
    ValueError: Doc: `y_true` must be between 0 and 1. Received: y_true=255 (int). ...
    """
    values = readable(y_true)
    if values is not None and values.size and (values.max() > 1 or values.min() < 0):
        worst = values.max() if values.max() > 1 else values.min()
        fix = "For masks of 0 and 255: (mask > 127)." if worst == 255 else ""
        raise checks.error(owner, "y_true", "between 0 and 1", worst.item(), fix)
    y = ops.convert_to_tensor(y_true)
    inside = ops.logical_and(y >= 0, y <= 1)
    if values is None:
        stop_graph_unless(inside, checks.error(owner, "y_true", "between 0 and 1", "other values"))
    return nan_unless(inside)


def stop_graph_unless(condition: Tensor, error: Exception) -> None:
    """Raise `error` where a TensorFlow graph finds `condition` false, as Keras's own losses do.

    XLA leaves such assertions out, and JAX has none.

    >>> stop_graph_unless(ops.convert_to_tensor([True]), ValueError("never"))
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.debugging.Assert(tf.reduce_all(condition), [str(error)])


def nan_unless(condition: Tensor) -> Tensor:
    """Return 0 where `condition` holds, else NaN.

    >>> [float(v) for v in nan_unless(ops.convert_to_tensor([True, False]))]
    [0.0, nan]
    """
    return ops.where(condition, 0.0, float("nan"))


def nan_of(x: Tensor, values: Tensor, axis: int = -1) -> Tensor:
    """Return 0 for each of a loss's `values`, NaN where a NaN is in what it was made from.

    With one axis more than `values`, `x` belongs to them along `axis`; else sample by sample. The
    gradient to all of that `x` is NaN too: no comparison can hide it.

    >>> x = ops.convert_to_tensor([[1.0, float("nan")], [1.0, 2.0]])
    >>> [float(v) for v in nan_of(x, ops.ones((2,)))]
    [nan, 0.0]
    """
    x, rank = at_least_float32(x), len(values.shape)
    if len(x.shape) == rank + 1:
        x = ops.sum(x, axis=axis)
    elif len(x.shape) != rank:
        x = ops.sum(x, axis=tuple(range(1, len(x.shape))))
    while len(x.shape) < rank:
        x = ops.expand_dims(x, -1)
    nan = ops.where(ops.isnan(x), x, 0.0)
    return ops.cast(nan * nan, values.dtype)


def like(owner: object, name: str, x: Tensor, values: Tensor) -> Tensor:
    """Return `x`, one number a sample or one for each of its values, in the shape of `values`.

    Keras would lay `(batch,)` along the last axis of `(batch, steps)` values: an error, or the
    wrong numbers without one where there are as many steps as samples.

    >>> ops.convert_to_numpy(like("Doc", "x", [1.0, 2.0], ops.zeros((2, 2)))).tolist()
    [[1.0, 1.0], [2.0, 2.0]]
    """
    x, shape = ops.convert_to_tensor(x), tuple(values.shape)
    given = tuple(x.shape)
    while len(x.shape) > len(shape) and x.shape[-1] == 1:
        x = ops.squeeze(x, -1)
    aligned = (*x.shape, *[1] * (len(shape) - len(x.shape)))
    sizes = zip(aligned[1:], shape[1:], strict=False)
    fits = len(aligned) == len(shape) and all(m in (1, n) or None in (m, n) for m, n in sizes)
    if not fits or (given and not _agree(given[:1], shape[:1])):
        rule = f"one number a sample, {_text(shape[:1])}, or for each value, {_text(shape)}"
        raise checks.error(owner, name, rule, given)
    for _ in range(len(shape) - len(x.shape)):
        x = ops.expand_dims(x, -1)
    return ops.copy(ops.broadcast_to(x, ops.shape(values)))  # Keras multiplies in place


def _agree(given, wanted):
    """Return whether two shapes may be equal, as far as both are known."""
    given, wanted = tuple(given), tuple(wanted)
    pairs = zip(given, wanted, strict=False)
    return len(given) == len(wanted) and all(None in (m, n) or m == n for m, n in pairs)


def _text(shape):
    sizes = ["?" if n is None else str(n) for n in shape]
    return f"({', '.join(sizes)}{',' * (len(sizes) == 1)})"
