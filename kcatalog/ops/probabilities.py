"""Log-probabilities of classes and the cross-entropy of targets in any form with them."""

import keras
from keras import ops

from kcatalog.ops.labels import class_indices, is_distribution
from kcatalog.types import Tensor


def log_probabilities(y_pred: Tensor, from_logits: bool, axis: int = -1) -> Tensor:
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


def logits(y_pred: Tensor, from_logits: bool, axis: int = -1) -> Tensor:
    """Logits as they are; for probabilities their logarithm, which differs by a constant only.

    >>> p = ops.convert_to_tensor([[0.25, 0.75]])
    >>> [round(float(v), 4) for v in ops.softmax(logits(p, from_logits=False))[0]]
    [0.25, 0.75]
    """
    return y_pred if from_logits else log_probabilities(y_pred, from_logits, axis)


def crossentropy(
    y_true: Tensor, log_p: Tensor, axis: int = -1, label_smoothing: float = 0.0
) -> Tensor:
    """`-Σ q log p` along `axis`, for targets `q` given as class indices or as distributions.

    Class indices pick their `log p`: there is no one-hot tensor, however many classes. Smoothing
    moves the part `label_smoothing` of `q` to all classes alike.

    >>> log_p = ops.log(ops.convert_to_tensor([[0.25, 0.75]]))
    >>> [round(float(crossentropy(y, log_p)[0]), 4) for y in (ops.zeros((1,)), 0.5 + 0 * log_p)]
    [1.3863, 0.837]
    """
    y_true = ops.convert_to_tensor(y_true)
    if is_distribution(y_true, log_p, axis):
        loss = -ops.sum(ops.cast(y_true, log_p.dtype) * log_p, axis=axis)
    else:
        y = class_indices(y_true, log_p, axis)
        loss = -ops.squeeze(ops.take_along_axis(log_p, y, axis=axis), axis)
    if not label_smoothing:
        return loss
    return (1 - label_smoothing) * loss - label_smoothing * ops.mean(log_p, axis=axis)
