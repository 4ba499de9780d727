"""The symmetric Kullback-Leibler divergence, which `layers.RDrop` adds to a model's loss."""

from typing import Any

from keras import ops

from kcatalog.losses.loss import Loss
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.probabilities import log_probabilities
from kcatalog.types import Tensor


class SymmetricDivergence(Loss):
    """`KL(p ‖ q) + KL(q ‖ p)` of two predictions of classes, `y_true` and `y_pred`.

    >>> p, q = ops.convert_to_tensor([[0.5, 0.5]]), ops.convert_to_tensor([[0.9, 0.1]])
    >>> round(float(SymmetricDivergence()(p, q)), 4)
    0.8789
    """

    def __init__(self, from_logits: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.from_logits = from_logits

    def call(self, p: Tensor, q: Tensor) -> Tensor:
        p, q = (self._log_probabilities(at_least_float32(a)) for a in (p, q))
        return ops.sum((ops.exp(p) - ops.exp(q)) * (p - q), axis=-1)

    def _log_probabilities(self, y):
        if y.shape[-1] == 1:  # of one of two classes
            other = ops.zeros_like(y) if self.from_logits else 1 - y
            y = ops.concatenate([other, y], axis=-1)
        return log_probabilities(y, self.from_logits)
