"""One value a sample, whatever a sample is made of."""

from keras import ops


def mean_over_outputs(values):
    """The mean over the last axis, as in Keras's own losses; `(batch,)` stays as it is.

    >>> [float(v) for v in mean_over_outputs(ops.convert_to_tensor([[1.0, 3.0], [4.0, 4.0]]))]
    [2.0, 4.0]
    """
    return values if len(values.shape) < 2 else ops.mean(values, axis=-1)


def flat_samples(x):
    """Everything that belongs to a sample in one row: `(batch, ...)` as `(batch, all)`.

    >>> tuple(flat_samples(ops.ones((3, 4, 5))).shape)
    (3, 20)
    """
    return ops.reshape(x, (ops.shape(x)[0], -1))
