import math
from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.losses.class_loss import ClassLoss
from kcatalog.ops.labels import class_distribution
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.probabilities import crossentropy, log_probabilities
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Symmetric Cross Entropy for Robust Learning with Noisy Labels",
        "Wang, Ma, Chen, Luo, Yi, Bailey",
        2019,
        "https://arxiv.org/abs/1908.06112",
        "section 3, the loss with α and β",
    ),
    equation="l = -α Σ q log p - β Σ p log q, with log 0 = A",
    tags=("integer-labels", "one-hot-labels", "logits"),
    space={
        "alpha": Float(0.01, 10.0, log=True),
        "beta": Float(0.1, 10.0, log=True),
        "label_smoothing": Choice(0.0, 0.1),
    },
    example=Example({"alpha": 0.5, "from_logits": True}, shape=(5,), targets="labels"),
)
class SymmetricCrossentropy(ClassLoss):
    """Cross-entropy plus its reverse, for labels of which some are wrong.

    The reverse term is bounded and treats all wrong classes alike, so a wrong label pulls only so
    hard; with class indices it is `-A (1 - p)`, a mean absolute error. Cross-entropy alone learns
    wrong labels by heart, the reverse term alone learns too slowly. Take it where a tenth of the
    labels or more is wrong; on clean labels plain cross-entropy is better.

    Maths:
        `l = -α Σ over c of q_c log p_c - β Σ over c of p_c max(log q_c, A)`, with `p` = the
        probabilities (or the softmax of logits), `q` = the smoothed target, `α` = `alpha`,
        `β` = `beta` and `A` = `log_zero`.

    Args:
        alpha: `α`, the weight of cross-entropy, a number in [0, inf). The paper takes 0.1 with
            10 classes and 6 with 100.
        beta: `β`, the weight of the reverse term, a number in [0, inf). The paper takes 1 with
            10 classes and 0.1 with 100.
        log_zero: `A`, what stands for log 0, a number in (-inf, 0). It scales the reverse term.

    Behaviour:
        Each sample on its own. Half precision is computed in float32. Differs from the paper: `A`
        is the least that log q may be, so that a target of 1e-9 counts like one of 0.
        Published code often writes log 1e-4 = -9.21 for the `A` that it calls -4.

    Example:
        At p = 1/2 the two terms are log 2 and 4 · 1/2:

        >>> loss = SymmetricCrossentropy(alpha=1.0, beta=1.0)
        >>> y_true = ops.convert_to_tensor([1])
        >>> round(float(loss(y_true, ops.convert_to_tensor([[0.2, 0.5, 0.3]]))), 4)
        2.6931
    """

    def __init__(
        self,
        alpha: float = 0.1,
        beta: float = 1.0,
        log_zero: float = -4.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        ignore_class: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(from_logits, label_smoothing, axis, ignore_class, **kwargs)
        self.alpha = checks.number(self, "alpha", alpha, "[0, inf)")
        self.beta = checks.number(self, "beta", beta, "[0, inf)")
        self.log_zero = checks.number(self, "log_zero", log_zero, "(-inf, 0)")

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        log_p = log_probabilities(at_least_float32(y_pred), self.from_logits, self.axis)
        q = class_distribution(y_true, log_p, self.axis, self.label_smoothing)
        tiny = math.exp(max(self.log_zero, -80.0))  # a float32 above 0
        log_q = ops.where(q > tiny, ops.log(ops.maximum(q, tiny)), self.log_zero)
        H = crossentropy(y_true, log_p, self.axis, self.label_smoothing)
        return self.alpha * H - self.beta * ops.sum(ops.exp(log_p) * log_q, axis=self.axis)
