"""The Lovász extension of the Jaccard loss: what it costs to get a set of pixels wrong.

For a set M of wrong pixels and the set G of true ones the Jaccard loss is |M| / |G ∪ M|. Its
extension to errors of any size sorts them, largest first, and adds error times slope, where the
slope is what the k-th pixel adds to the loss of the first k - 1.
"""

from keras import ops


def lovasz_jaccard(errors, truth, per_image):
    """One value for each sample and class from errors and masks `(batch, pixels, classes)`.

    With `per_image` each sample is a set of its own. Otherwise the batch is one set; a sample's
    value is then batch times its share, so that the mean over the batch is the loss of the set.
    """
    if per_image:
        shares, _ = _shares(ops.transpose(errors, (0, 2, 1)), ops.transpose(truth, (0, 2, 1)))
        return ops.sum(shares, axis=-1)
    batch, _, classes = ops.shape(errors)
    one_set = [ops.reshape(ops.transpose(x, (2, 0, 1)), (classes, -1)) for x in (errors, truth)]
    shares, order = _shares(*one_set)
    in_place = ops.take_along_axis(shares, ops.argsort(order, axis=-1), axis=-1)
    in_place = ops.reshape(in_place, (classes, batch, -1))
    return ops.transpose(ops.sum(in_place, axis=-1)) * ops.cast(batch, errors.dtype)


def _shares(errors, truth):
    """Error times slope along the last axis, largest error first, and that order.

    The slope is written without the difference of two Jaccard losses, which would leave no digits
    of a pixel's share in a picture of a million.
    """
    order = ops.argsort(-errors, axis=-1)
    e = ops.take_along_axis(errors, order, axis=-1)
    r = ops.take_along_axis(truth, order, axis=-1)
    G = ops.sum(r, axis=-1, keepdims=True)
    left, union = G - ops.cumsum(r, axis=-1), G + ops.cumsum(1 - r, axis=-1)  # |G - M|, |G ∪ M|
    slope = ops.where(r > 0, 1 / union, left / (union * ops.maximum(union - 1, 1)))
    slope = ops.where((G == 0) & (union == 1), 1.0, slope)  # no true pixel: the worst costs all
    return ops.relu(e) * slope, order
