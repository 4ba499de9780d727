"""Tell Keras which of a loss's values count, and how much."""

import keras
from keras import ops


class _Masked(keras.layers.Layer):
    """Keras sets masks in layers only; this one does nothing else."""

    def call(self, inputs):
        return inputs[0]

    def compute_mask(self, inputs, previous_mask=None):
        return inputs[1]


_masked = _Masked(autocast=False)  # making a layer costs more than calling one


def with_mask(values, mask):
    """Mask a loss's unreduced `values`: Keras's reductions count those where `mask` is True.

    Keras joins it with the mask of the predictions: the mean is over what both leave, and 0 if
    that is nothing.

    >>> values = with_mask(ops.ones((2, 3)), ops.ones((2, 3), dtype="bool"))
    >>> tuple(values.shape)
    (2, 3)
    """
    return _masked([values, mask])


def weight_each(sample_weight, y_pred):
    """Spread a sample's weight over its values: `(batch,)` becomes `y_pred.shape[:-1]`.

    Keras would lay `(batch,)` along the last axis of `(batch, steps)` values: an error, or the
    wrong weights without one where there are as many steps as samples.

    >>> tuple(weight_each([1.0, 2.0], ops.ones((2, 3, 5))).shape)
    (2, 3)
    """
    if sample_weight is None:
        return None
    w, shape = ops.convert_to_tensor(sample_weight), ops.shape(y_pred)[:-1]
    if len(w.shape) > len(shape):  # (batch, steps, 1)
        w = ops.squeeze(w, -1)
    while len(w.shape) < len(shape):
        w = ops.expand_dims(w, -1)
    return w * ops.ones(shape, dtype=w.dtype)
