import math

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.ops.precision import at_least_float32
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Regularizing Neural Networks by Penalizing Confident Output Distributions",
        "Pereyra, Tucker, Chorowski, Kaiser, Hinton",
        2017,
        "https://arxiv.org/abs/1701.06548",
        "section 3",
    ),
    tags=("activity",),
    space={"factor": Float(0.01, 1.0, log=True)},
    example=Example({"factor": 0.5, "from_logits": True}, shape=(6, 3)),
)
class ConfidencePenalty(keras.regularizers.Regularizer):
    """Confidence penalty: the negative entropy of a classifier's output.

    An overfitted classifier puts all probability on one class. Rewarding entropy keeps it
    smooth, as label smoothing does, but lets it tell likely wrong classes from unlikely ones. An
    `activity_regularizer` of the last layer. It does not help a classifier that is not confident.

    Maths:
        `Ω = λ Σ_c p_c log(K p_c)` for probabilities `p` of `K` classes, with `λ` = `factor`: the
        entropy's distance from its largest, `log K`. With sigmoid outputs each is a distribution of
        its own: `Ω = λ / K Σ_c (p_c log(2 p_c) + (1 - p_c) log(2 (1 - p_c)))`.

    Args:
        factor: `λ`, a number in [0, inf).
        from_logits: Whether the outputs are logits rather than probabilities.
        activation: "softmax" or "sigmoid", which makes logits probabilities, or has made them.

    Shapes:
        Outputs `(batch, ..., classes)`. The penalty is the sum over samples of the mean over
        positions of `Ω`, since Keras divides the penalty of an `activity_regularizer` by the batch
        size.

    Behaviour:
        Differs from the paper by the constant `log K`, so the least penalty is 0. Logits are safer:
        a probability that is rounded to 0 has no gradient. Keras passes no mask on: padding
        counts. Half precision is computed in float32.

    Example:
        One class of two is certain: `log 2`. Both are equal: 0.

        >>> penalty = ConfidencePenalty(factor=1.0)
        >>> round(float(penalty(keras.ops.convert_to_tensor([[1.0, 0.0], [0.5, 0.5]]))), 4)
        0.6931
    """

    def __init__(self, factor: float = 0.1, from_logits: bool = False, activation: str = "softmax"):
        self.factor = checks.number(self, "factor", factor, "[0, inf)")
        self.from_logits = checks.boolean(self, "from_logits", from_logits)
        self.activation = checks.choice(self, "activation", activation, ("softmax", "sigmoid"))

    def __call__(self, y: Tensor) -> Tensor:
        y = at_least_float32(y)
        if len(y.shape) < 2:
            raise checks.error(self, "shape", "(batch, ..., classes)", tuple(y.shape))
        classes = y.shape[-1]
        if self.activation == "softmax":
            negentropy = math.log(classes) + ops.sum(self._p_log_p(y), axis=-1)
        else:
            both = self._p_log_p(y) + self._p_log_p(-y if self.from_logits else 1 - y)
            negentropy = math.log(2) + ops.sum(both, axis=-1) / classes
        samples = ops.reshape(negentropy, (ops.shape(y)[0], -1))
        return self.factor * ops.sum(ops.mean(samples, axis=1))

    def _p_log_p(self, y):
        if not self.from_logits:
            zero = y <= 0  # a NaN is not, and stays one
            return ops.where(zero, 0.0, y * ops.log(ops.where(zero, 1.0, y)))
        if self.activation == "softmax":
            return ops.softmax(y, axis=-1) * ops.log_softmax(y, axis=-1)
        return ops.sigmoid(y) * ops.log_sigmoid(y)
