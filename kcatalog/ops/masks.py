"""Tell Keras which of a loss's values count."""

import keras


class _Masked(keras.layers.Layer):
    """Keras sets masks in layers only; this one does nothing else."""

    def call(self, inputs):
        return inputs[0]

    def compute_mask(self, inputs, previous_mask=None):
        return inputs[1]


def with_mask(values, mask):
    """A loss's unreduced `values`, of which Keras's reductions count those where `mask` is True.

    Keras joins it with the mask of the predictions: the mean is over what both leave, and 0 if
    that is nothing.

    >>> values = with_mask(keras.ops.ones((2, 3)), keras.ops.ones((2, 3), dtype="bool"))
    >>> tuple(values.shape)
    (2, 3)
    """
    return _Masked(autocast=False)([values, mask])
