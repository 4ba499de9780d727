"""Sample weights as users bring them, in the shape of what they weight."""

from keras import ops


def weights_like(sample_weight, values):
    """`sample_weight` in float32 and in the shape of `values`; ones where it is None.

    A weight may be that of a whole sample, `(batch,)` or `(batch, 1)`, or of each of its parts.

    >>> ops.convert_to_numpy(weights_like([1.0, 2.0], ops.zeros((2, 2)))).tolist()
    [[1.0, 1.0], [2.0, 2.0]]
    """
    ones = ops.ones_like(values, dtype="float32")
    if sample_weight is None:
        return ones
    w = ops.cast(sample_weight, "float32")
    if len(w.shape) > len(ones.shape):
        w = ops.squeeze(w, axis=-1)
    while len(w.shape) < len(ones.shape):
        w = ops.expand_dims(w, axis=-1)
    return w * ones
