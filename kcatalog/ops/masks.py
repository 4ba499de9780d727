"""Tell Keras which values count.

Keras hands a mask on with the tensor it belongs to, and has no public name for reading or setting
it. The two functions it uses itself stand here alone.
"""

from keras import ops
from keras.src.backend import get_keras_mask, set_keras_mask

from kcatalog.types import Tensor


def mask_of(x: Tensor) -> Tensor | None:
    """Return the mask that Keras's layers handed on with `x`, as bool, or None.

    >>> mask_of(ops.ones((2, 3))) is None
    True
    """
    mask = get_keras_mask(x)
    return None if mask is None else ops.cast(mask, "bool")


def with_mask(x: Tensor, mask: Tensor) -> Tensor:
    """Return a tensor equal to `x` with this mask, which losses and metrics then read.

    A loss may mask its unreduced values: the mean is over those where `mask` is True, joined with
    the mask of the predictions, and 0 if nothing is left.

    >>> values = with_mask(ops.ones((2, 3)), ops.ones((2, 3), dtype="bool"))
    >>> tuple(mask_of(values).shape)
    (2, 3)
    """
    x = ops.copy(x)  # the mask of the caller's tensor stays as it is
    set_keras_mask(x, mask)
    return x


def both(mask: Tensor, other: Tensor) -> Tensor:
    """Return where both masks are True; None, everywhere, for either is left out.

    >>> both(None, None) is None
    True
    """
    if mask is None or other is None:
        return other if mask is None else mask
    while len(mask.shape) < len(other.shape):
        mask = ops.expand_dims(mask, -1)
    while len(other.shape) < len(mask.shape):
        other = ops.expand_dims(other, -1)
    return ops.logical_and(mask, other)


def counted(x: Tensor, values: Tensor) -> Tensor:
    """Return 1 for each of `values` that the mask of `x` leaves, else 0, in their shape and dtype.

    >>> float(ops.sum(counted(ops.ones((2, 3, 5)), ops.ones((2, 3)))))
    6.0
    """
    mask, ones = mask_of(x), ops.ones_like(values)
    return ones if mask is None else ones * ops.cast(mask, ones.dtype)
