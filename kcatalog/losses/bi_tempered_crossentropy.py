import math
from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.losses.class_loss import ClassLoss
from kcatalog.ops.labels import class_distribution
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.probabilities import logits
from kcatalog.ops.tempered import tempered_log, tempered_log_softmax
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Robust Bi-Tempered Logistic Loss Based on Bregman Divergences",
        "Amid, Warmuth, Anil, Koren",
        2019,
        "https://arxiv.org/abs/1906.03361",
        "section 3",
    ),
    equation="l = Σ q (log_t₁ q - log_t₁ p) - (q^(2-t₁) - p^(2-t₁)) / (2 - t₁), p = exp_t₂(s - λ)",
    tags=("integer-labels", "one-hot-labels", "logits"),
    space={
        "t1": Float(0.1, 1.0),
        "t2": Float(1.0, 4.0, log=True),
        "label_smoothing": Choice(0.0, 0.1),
    },
    example=Example({"t1": 0.6, "t2": 1.5, "from_logits": True}, shape=(5,), targets="labels"),
)
class BiTemperedCrossentropy(ClassLoss):
    """Cross-entropy with a tempered logarithm and a tempered softmax, against wrong labels.

    `t1` below 1 bounds the loss, so that a far outlier cannot rule; `t2` above 1 gives the softmax
    heavy tails, so that a wrong label near the border need not bend it. Take it where labels are
    noisy; with clean labels both at 1 (cross-entropy) are as good and cheaper. Start close
    to 1 and move `t2` first. Two classes are two logits: there is no binary form.

    Maths:
        `l = Σ over c of q_c (log_t₁ q_c - log_t₁ p_c) - (q_c^(2-t₁) - p_c^(2-t₁)) / (2 - t₁)`, with
        `log_t(u) = (u^(1-t) - 1) / (1 - t)`, `p_c = exp_t₂(s_c - λ)`, where `exp_t` is the inverse
        of `log_t` and `λ` makes `p` sum to 1; `s` = `y_pred` (for probabilities, their logarithm),
        `q` = the smoothed target, `t₁` = `t1` and `t₂` = `t2`.

    Args:
        t1: `t₁`, the temperature of the logarithm, a number in [0, 1]; one-hot targets bound the
            loss by `1 / (1 - t₁)`.
        t2: `t₂`, the temperature of the softmax, a number in [1, 5].
        from_logits: True where `y_pred` holds logits, as it should.

    Behaviour:
        Each sample on its own. Half precision is computed in float32. `λ` is exact, by ten Newton
        steps; Google's code and its ports take five of a slower iteration. Temperatures `t₂ < 1`
        are left out: a class beyond their finite reach would get no gradient. The model's
        probabilities are `exp(kcatalog.ops.tempered_log_softmax(s, t2))`, in the order of the
        logits. Smoothing is Keras's `ε`; the ports' is `ε (classes - 1) / classes`.

    Example:
        Both classes at p = 1/2; with t₁ = 0 the loss is the squared distance to the target, halved:

        >>> loss = BiTemperedCrossentropy(t1=0.0, t2=2.0, from_logits=True)
        >>> y_true = ops.convert_to_tensor([1])
        >>> round(float(loss(y_true, ops.zeros((1, 2)))), 4)
        0.25
    """

    def __init__(
        self,
        t1: float = 0.8,
        t2: float = 1.2,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        ignore_class: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(from_logits, label_smoothing, axis, ignore_class, **kwargs)
        self.t1 = checks.number(self, "t1", t1, "[0, 1]")
        self.t2 = checks.number(self, "t2", t2, "[1, 5]")

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        s = logits(at_least_float32(y_pred), self.from_logits, self.axis)
        log_p = tempered_log_softmax(s, self.t2, self.axis)
        q = class_distribution(y_true, s, self.axis, self.label_smoothing)
        log_q = ops.log(ops.maximum(q, math.exp(-80.0)))  # where q = 0 it is multiplied by 0
        k = 2 - self.t1
        divergence = q * (tempered_log(log_q, self.t1) - tempered_log(log_p, self.t1))
        return ops.sum(divergence - (q**k - ops.exp(k * log_p)) / k, axis=self.axis)
