"""Log-probabilities of classes, from logits exactly, from probabilities as Keras bounds them."""

import keras
from keras import ops


def log_probabilities(y_pred, from_logits, axis=-1):
    """`log p` of every class along `axis`.

    Logits need no bound: the result falls as far as they do and keeps its gradient. Probabilities
    are made to sum to 1 and kept off 0 and 1 by Keras's epsilon, as Keras's cross-entropies do.

    >>> [round(float(v), 4) for v in log_probabilities(ops.zeros((2,)), from_logits=True)]
    [-0.6931, -0.6931]
    >>> [round(float(v), 4) for v in log_probabilities(ops.ones((2,)), from_logits=False)]
    [-0.6931, -0.6931]
    """
    if from_logits:
        return ops.log_softmax(y_pred, axis=axis)
    epsilon = keras.config.epsilon()
    p = y_pred / ops.sum(y_pred, axis=axis, keepdims=True)
    return ops.log(ops.clip(p, epsilon, 1 - epsilon))
