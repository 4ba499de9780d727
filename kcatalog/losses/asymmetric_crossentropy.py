from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.losses.loss import Loss
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.samples import same_rank
from kcatalog.ops.targets import Targets, between_0_and_1, numbers, same_shape
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Asymmetric Loss For Multi-Label Classification",
        "Ridnik, Ben-Baruch, Zamir, Noy, Friedman, Protter, Zelnik-Manor",
        2021,
        "https://arxiv.org/abs/2009.14119",
        "equation 7",
    ),
    equation="l = -y (1 - p)^γ₊ log p - (1 - y) p_m^γ₋ log(1 - p_m), p_m = max(p - m, 0)",
    space={
        "gamma_negative": Float(0.0, 6.0),
        "gamma_positive": Float(0.0, 2.0),
        "clip": Choice(0.0, 0.05, 0.1, 0.2),
    },
    example=Example(
        {"gamma_negative": 2.5, "gamma_positive": 0.5, "clip": 0.1, "from_logits": True},
        shape=(5,),
        targets="binary",
    ),
)
class AsymmetricCrossentropy(Loss):
    """Binary cross-entropy for multi-label data, focused on negatives more than on positives.

    An image bears a few of many labels. In plain cross-entropy the many absent ones, nearly all
    easy, outweigh the few present ones. Here each side has its own focus, and an absent label whose
    probability is below `clip` costs nothing. The clip also bounds the loss of an absent label, so
    that labels missing by mistake do less harm. Not for classes that exclude each other (take a
    softmax loss), nor for calibrated probabilities: those of rare labels come out too high.

    Maths:
        `l = -y (1 - p)^γ₊ log p - (1 - y) p_m^γ₋ log(1 - p_m)`, with `p_m = max(p - m, 0)`,
        `y` = the smoothed target, `p` = the probability (or the sigmoid of the logit),
        `γ₋` = `gamma_negative`, `γ₊` = `gamma_positive` and `m` = `clip`; mean over the labels.

    Args:
        gamma_negative: `γ₋`, the focus of absent labels, a number in [0, inf).
        gamma_positive: `γ₊`, the focus of present labels, a number in [0, inf). The paper's best
            is 0, which leaves positives unfocused.
        clip: `m`, the probability below which a negative is ignored, a number in [0, 1).
        focusing_gradient: False takes the factors `(1 - p)^γ₊` and `p_m^γ₋` as constants in the
            gradient, as the authors' training does; True is the gradient of the equation.
        from_logits: True where `y_pred` holds logits; more exact than probabilities.
        label_smoothing: The part by which targets move towards 1/2, in [0, 1].
        axis: The axis of labels, an integer in (-inf, inf).

    Shapes:
        `y_true`: 0 or 1 (or between), of the shape of `y_pred`; `(batch, ..., labels)`.
        Unreduced: `(batch, ...)`.

    Behaviour:
        Each sample on its own. Half precision is computed in float32. Probabilities are kept off 0
        and 1 as Keras does. Differs from the paper and timm: the mean over labels instead of
        their sum, as in Keras's BinaryCrossentropy. Targets between 0 and 1 mix the two sides'
        losses; timm mixes their exponents.

    Example:
        With p = 1/2, a present label costs 1/2 · log 2, an absent one 0.45⁴ · -log 0.55:

        >>> loss = AsymmetricCrossentropy(reduction=None)
        >>> y_true = keras.ops.convert_to_tensor([[1.0], [0.0]])
        >>> [round(float(l), 4) for l in loss(y_true, 0.5 + 0 * y_true)]
        [0.3466, 0.0245]
    """

    def __init__(
        self,
        gamma_negative: float = 4.0,
        gamma_positive: float = 1.0,
        clip: float = 0.05,
        focusing_gradient: bool = True,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.gamma_negative = checks.number(self, "gamma_negative", gamma_negative, "[0, inf)")
        self.gamma_positive = checks.number(self, "gamma_positive", gamma_positive, "[0, inf)")
        self.clip = checks.number(self, "clip", clip, "[0, 1)")
        self.focusing_gradient = checks.boolean(self, "focusing_gradient", focusing_gradient)
        self.from_logits = checks.boolean(self, "from_logits", from_logits)
        self.label_smoothing = checks.number(self, "label_smoothing", label_smoothing, "[0, 1]")
        self.axis = checks.integer(self, "axis", axis, "(-inf, inf)")

    def targets(self, y_true: Tensor, y_pred: Tensor) -> Targets:
        y = numbers(self, "y_true", y_true, self.dtype)
        same_shape(
            self,
            y,
            y_pred.shape,
            "One 0 or 1 for each output: keras.utils.to_categorical makes them of class indices.",
        )
        return Targets(y, faults=between_0_and_1(self, y))

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        y_pred = at_least_float32(y_pred)
        log_p, log_q = self._log_probabilities(y_pred)  # of a label and, q = 1 - p, of none
        y = ops.cast(same_rank(y_true, y_pred), y_pred.dtype)
        y = (1 - self.label_smoothing) * y + self.label_smoothing / 2
        positive = self._constant(ops.exp(self.gamma_positive * log_q)) * log_p
        if self.clip:
            negative = self._clipped_negative(ops.exp(log_p), ops.exp(log_q))
        else:
            negative = self._constant(ops.exp(self.gamma_negative * log_p)) * log_q
        each = -y * positive - (1 - y) * negative
        return ops.mean(each, axis=self.axis) if len(each.shape) > 1 else each

    def _log_probabilities(self, y_pred):
        if self.from_logits:
            return ops.log_sigmoid(y_pred), ops.log_sigmoid(-y_pred)
        epsilon = keras.config.epsilon()
        p = ops.clip(y_pred, epsilon, 1 - epsilon)
        return ops.log(p), ops.log1p(-p)

    def _clipped_negative(self, p, q):
        counts = p > self.clip
        p_m = ops.where(counts, p - self.clip, 0.5)  # 0.5: any power of it has a finite slope
        log_q_m = ops.log(ops.where(counts, q + self.clip, 1.0))
        return ops.where(counts, self._constant(p_m**self.gamma_negative) * log_q_m, 0.0)

    def _constant(self, focus):
        return focus if self.focusing_gradient else ops.stop_gradient(focus)
