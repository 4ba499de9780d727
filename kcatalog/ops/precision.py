"""Half precision goes in and comes out; in between it is computed in single."""

import keras
from keras import ops

from kcatalog.types import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """`x` as a tensor of a real dtype no coarser than float32; float64 stays float64.

    >>> keras.backend.standardize_dtype(at_least_float32(ops.ones((2,), dtype="float16")).dtype)
    'float32'
    """
    x = ops.convert_to_tensor(x)
    exact = keras.backend.standardize_dtype(x.dtype) in ("float32", "float64")
    return x if exact else ops.cast(x, "float32")


def as_floats(x: Tensor, dtype: str) -> Tensor:
    """Return integers as floats of a layer's dtype, and floats as they are."""
    floats = keras.backend.is_float_dtype(keras.backend.standardize_dtype(x.dtype))
    return x if floats else ops.cast(x, dtype)


def larger(x: Tensor, y: Tensor) -> Tensor:
    """Return the larger of each pair; `ops.maximum` rounds float64 to float32 on PyTorch.

    Where one is a NaN, it is `y`.

    >>> ops.convert_to_numpy(larger(ops.array([1.0, 3.0]), 2.0)).tolist()
    [2.0, 3.0]
    """
    return ops.where(x > y, x, y)


def smaller(x: Tensor, y: Tensor) -> Tensor:
    """Return the smaller of each pair, as `larger` does."""
    return ops.where(x < y, x, y)
