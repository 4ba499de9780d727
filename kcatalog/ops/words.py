"""Labels of any dtype in a form that every backend keeps exactly.

JAX has no integers of 64 bits unless asked to, and Keras's float32 ends at 2^24. Two int32, the
upper and the lower half of 64 bits, hold every whole number, and can be kept in a metric's state.
"""

import keras
import numpy as np
from keras import ops

from kcatalog.types import Tensor

_HALF = 2.0**32


def words(labels: Tensor) -> Tensor:
    """Return whole numbers `(...)` of any dtype as int32 `(..., 2)`: equal if and only if they are.

    A NaN or an infinity among floats is no whole number, and equal to an arbitrary one.

    >>> ops.convert_to_numpy(words(np.array([-1, 2**32 + 5]))).tolist()
    [[-1, -1], [1, 5]]
    """
    if isinstance(labels, list | tuple | int | float | np.ndarray | np.generic):
        labels = np.asarray(labels)  # in NumPy, before a backend takes bits away
        if labels.dtype.kind in "iub":
            labels = labels.astype("int64")
            halves = [labels >> 32, labels << 32 >> 32]
            return ops.convert_to_tensor(np.stack(halves, axis=-1).astype("int32"))
        if labels.dtype.kind == "f":
            return ops.convert_to_tensor(np.stack(_halves(labels, np), axis=-1).astype("int32"))
    labels = ops.convert_to_tensor(labels)
    dtype = keras.backend.standardize_dtype(labels.dtype)
    if "float" in dtype:
        labels = labels if dtype == "float64" else ops.cast(labels, "float32")
        upper, lower = _halves(labels, ops)
    elif dtype in ("int64", "uint64"):
        labels = ops.cast(labels, "int64")
        upper = ops.right_shift(labels, 32)
        lower = ops.right_shift(ops.left_shift(labels, 32), 32)
    else:
        lower = ops.cast(labels, "int32")
        signed = dtype.startswith("int")
        upper = ops.where(lower < 0, -1, 0) if signed else ops.zeros_like(lower)
    return ops.stack([ops.cast(upper, "int32"), ops.cast(lower, "int32")], axis=-1)


def _halves(x, numpy):
    """Return both halves of floats, by steps that are exact in floating point."""
    x = numpy.where(numpy.isfinite(x), x, numpy.zeros_like(x))
    upper = numpy.trunc(x / _HALF)  # Keras's floor is in float32 on PyTorch
    lower = x - upper * _HALF
    upper = numpy.where(lower < 0, upper - 1, upper)
    lower = numpy.where(lower >= _HALF / 2, lower - _HALF, lower)
    return upper, numpy.where(lower < -_HALF / 2, lower + _HALF, lower)


def same_words(a: Tensor, b: Tensor) -> Tensor:
    """`(n, m)`: whether the labels of two lists of words, `(n, 2)` and `(m, 2)`, are equal.

    >>> ops.convert_to_numpy(same_words(words([1, 2]), words([2.0]))).tolist()
    [[False], [True]]
    """
    upper = ops.equal(a[:, None, 0], b[None, :, 0])
    return ops.logical_and(upper, ops.equal(a[:, None, 1], b[None, :, 1]))
