"""Masks and probabilities of pictures, sample by sample and class by class."""

import math

from keras import ops

from kcatalog.ops.labels import class_distribution
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.targets import like
from kcatalog.types import Tensor


def masks_and_probabilities(
    y_true: Tensor, y_pred: Tensor, from_logits: bool, axis: int = -1
) -> tuple[Tensor, Tensor]:
    """Targets and predictions, each as `(batch, pixels, classes)`; any axes between are pixels.

    Class indices become masks. With a single class `y_true` is its mask, and logits are a
    sigmoid's; with more they are a softmax's.

    >>> r, p = masks_and_probabilities(ops.ones((1, 2)), ops.zeros((1, 2, 4)), True)
    >>> [float(v) for v in r[0, 1]], float(p[0, 1, 1])
    ([0.0, 1.0, 0.0, 0.0], 0.25)
    """
    p = ops.moveaxis(at_least_float32(y_pred), axis, -1)
    y = ops.convert_to_tensor(y_true)
    if len(y.shape) == len(p.shape):
        y = ops.moveaxis(y, axis, -1)
    classes = p.shape[-1]
    if classes == 1:
        r = ops.reshape(ops.cast(y, p.dtype), ops.shape(p))
        p = ops.sigmoid(p) if from_logits else p
    else:
        r = class_distribution(y, p)
        p = ops.softmax(p, axis=-1) if from_logits else p
    pixels = tuple(p.shape)[1:-1]
    rows = (ops.shape(p)[0], -1, classes) if None in pixels else (-1, math.prod(pixels), classes)
    return ops.reshape(r, rows), ops.reshape(p, rows)


def pixel_weights(
    owner: object, pixels: Tensor, mask: Tensor, sample_weight: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the weight of each pixel, `(batch, pixels, 1)`, and what weights whole images.

    Without mask and weights of pixels it is the number 1.

    Args:
        owner: who asks, for the error.
        pixels: any tensor with a number for each pixel, `(batch, ...)`.
        mask: None, or True for each pixel, or image, that counts.
        sample_weight: None, a weight for each image, or one for each pixel.

    >>> w, of_images = pixel_weights("Doc", ops.ones((1, 2)), None, [[1.0, 0.0]])
    >>> [float(v) for v in w[0, :, 0]], of_images
    ([1.0, 0.0], None)
    """
    w, flat = 1.0, (-1, math.prod(pixels.shape[1:]) if None not in pixels.shape[1:] else -1, 1)
    if sample_weight is not None:
        weights = ops.convert_to_tensor(sample_weight, dtype=pixels.dtype)
        if math.prod(n or 2 for n in weights.shape[1:]) > 1:
            w, sample_weight = like(owner, "sample_weight", weights, pixels), None
    if mask is not None:
        w = ops.where(like(owner, "mask", mask, pixels), w, 0.0)
    if not isinstance(w, float):
        rows = ops.shape(pixels)[0] if flat[1] == -1 else -1
        w = at_least_float32(ops.reshape(w, (rows, *flat[1:])))
    return w, sample_weight
