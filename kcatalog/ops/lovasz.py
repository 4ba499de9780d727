"""The Lovász extension of the Jaccard loss: what it costs to get a set of pixels wrong.

For a set M of wrong pixels and the set G of true ones the Jaccard loss is |M| / |G ∪ M|. Its
extension to errors of any size sorts them, largest first, and adds error times slope, where the
slope is what the k-th pixel adds to the loss of the first k - 1.
"""

from keras import ops

from kcatalog.types import Tensor


def lovasz_jaccard(errors: Tensor, truth: Tensor, per_image: bool, weights: Tensor = 1.0) -> Tensor:
    """One value for each sample and class from errors and masks `(batch, pixels, classes)`.

    With `per_image` each sample is a set of its own. Otherwise the batch is one set; a sample's
    value is then batch times its share, so that the mean over the batch is the loss of the set.
    A pixel of weight `w`, of `(batch, pixels, 1)`, is `w` pixels: sizes of sets are sums of
    weights.
    """
    weights = ops.broadcast_to(ops.cast(weights, errors.dtype), ops.shape(errors))
    if per_image:
        rows = [ops.transpose(x, (0, 2, 1)) for x in (errors, truth, weights)]
        shares, _ = _shares(*rows)
        return ops.sum(shares, axis=-1)
    batch, _, classes = ops.shape(errors)
    one_set = [
        ops.reshape(ops.transpose(x, (2, 0, 1)), (classes, -1)) for x in (errors, truth, weights)
    ]
    shares, order = _shares(*one_set)
    in_place = ops.take_along_axis(shares, ops.argsort(order, axis=-1), axis=-1)
    in_place = ops.reshape(in_place, (classes, batch, -1))
    return ops.transpose(ops.sum(in_place, axis=-1)) * ops.cast(batch, errors.dtype)


def _shares(errors, truth, weights):
    """Error times slope along the last axis, largest error first, and that order.

    The slope is written without the difference of two Jaccard losses, which would leave no digits
    of a pixel's share in a picture of a million.
    """
    order = ops.argsort(-errors, axis=-1)
    e, r, w = (ops.take_along_axis(x, order, axis=-1) for x in (errors, truth, weights))
    G = ops.sum(w * r, axis=-1, keepdims=True)
    # |G - M| and |G ∪ M| after each pixel; a pixel beside G adds w to the union that was before
    left, union = G - ops.cumsum(w * r, axis=-1), G + ops.cumsum(w * (1 - r), axis=-1)
    before = union - w * (1 - r)
    slope = ops.where(r > 0, w / _above_0(union), w * left / _above_0(union * before))
    first = (before <= 0) & (w > 0)
    slope = ops.where((G <= 0) & first, 1.0, slope)  # no true pixel: the worst costs all
    return ops.relu(e) * slope, order


def _above_0(x):
    return ops.where(x > 0, x, 1.0)
