"""Positions as angles, their sines and cosines: what the position embeddings share."""

import keras
import numpy as np
from keras import ops

from kcatalog.types import Tensor


def angles(positions: Tensor, features: int, max_wavelength: float) -> Tensor:
    """Return `positions · max_wavelength^(-2 i / features)` for each pair `i` of the features.

    The result has one axis more than `positions` and is float32: half precision would confuse
    positions beyond 2048.

    >>> [round(float(a), 3) for a in angles(ops.convert_to_tensor(3), 4, 100.0)]
    [3.0, 0.3]
    """
    frequencies = float(max_wavelength) ** (-np.arange(0, features, 2) / features)
    positions = ops.expand_dims(ops.cast(positions, "float32"), -1)
    return positions * ops.convert_to_tensor(frequencies.astype("float32"))


def sinusoids(positions: Tensor, features: int, max_wavelength: float) -> Tensor:
    """Return sine and cosine of each angle side by side, `features` numbers for each position.

    >>> [round(float(s), 3) for s in sinusoids(ops.convert_to_tensor(0), 3, 100.0)]
    [0.0, 1.0, 0.0]
    """
    a = angles(positions, features, max_wavelength)
    s = ops.stack([ops.sin(a), ops.cos(a)], axis=-1)
    return ops.reshape(s, (*ops.shape(a)[:-1], 2 * a.shape[-1]))[..., :features]


def rotate(x: Tensor, a: Tensor, interleaved: bool = False) -> Tensor:
    """Turn each pair of numbers along the last axis of `x` by its angle in `a`.

    The pairs are neighbours if `interleaved`; else the first number of the first half goes with the
    first of the second half, and so on.

    >>> y = rotate(ops.convert_to_tensor([1.0, 0.0]), ops.convert_to_tensor([np.pi / 2]))
    >>> [abs(round(float(n), 4)) for n in y]
    [0.0, 1.0]
    """
    dtype, shape = keras.backend.result_type(x.dtype, "float32"), ops.shape(x)
    cos, sin, wide = (ops.cast(t, dtype) for t in (ops.cos(a), ops.sin(a), x))
    if interleaved:
        pairs = ops.reshape(wide, (*shape[:-1], shape[-1] // 2, 2))
        u, v = pairs[..., 0], pairs[..., 1]
    else:
        u, v = ops.split(wide, 2, axis=-1)
    turned = [u * cos - v * sin, u * sin + v * cos]
    if interleaved:
        y = ops.reshape(ops.stack(turned, axis=-1), shape)
    else:
        y = ops.concatenate(turned, axis=-1)
    return ops.cast(y, x.dtype)
