import math
from collections.abc import Sequence
from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.losses.class_loss import ClassLoss
from kcatalog.ops.labels import class_distribution, per_class
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.probabilities import crossentropy, log_probabilities
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Class-Balanced Loss Based on Effective Number of Samples",
        "Cui, Jia, Lin, Song, Belongie",
        2019,
        "https://arxiv.org/abs/1901.05555",
        "section 4, class-balanced softmax cross-entropy",
    ),
    equation="l = -w_y log p_y, w_c ~ (1 - β) / (1 - β^n_c)",
    tags=("integer-labels", "one-hot-labels", "logits"),
    space={"beta": Choice(0.9, 0.99, 0.999, 0.9999), "label_smoothing": Choice(0.0, 0.1)},
    example=Example(
        {"counts": [900, 300, 40, 10, 2], "beta": 0.99, "from_logits": True},
        shape=(5,),
        targets="labels",
    ),
)
class ClassBalancedCrossentropy(ClassLoss):
    """Cross-entropy weighted by the effective number of samples of a class.

    New samples of a class overlap more and more with those already there; `n` of them are worth
    `(1 - β^n) / (1 - β)`. Weighting by its inverse lies between no weights (`β` = 0) and inverse
    frequency (`β` near 1), which overdoes it for the rarest classes. Take
    `LogitAdjustedCrossentropy` for large networks that fit all their training data: there, weights
    lose their effect.

    Maths:
        `l = -w_y Σ over c of q_c log p_c`, with `w_c = K / E_c`, `E_c = (1 - β^n_c) / (1 - β)`, `K`
        such that the weights' mean over the classes is 1, `p` = the probabilities (or the softmax
        of logits), `q` = the smoothed target, `n` = `counts` and `β` = `beta`.

    Args:
        counts: How often each class occurs in training: a list of numbers in [1, inf), one for
            each class.
        beta: `β`, a number in [0, 1). `1 / (1 - β)` is how many samples suffice to know a class.

    Behaviour:
        Each sample on its own: reduction divides by the number of samples, not by their weights.
        Half precision is computed in float32. A target shared among classes has its mean weight;
        smoothing leaves the weight alone. Probabilities are kept off 0 and 1 as Keras does.

    Example:
        With β = 1/2 one sample counts 1 and two count 1.5: weights 1.2 and 0.8, times log 2:

        >>> loss = ClassBalancedCrossentropy(counts=[1, 2], beta=0.5, reduction=None)
        >>> y_true = ops.convert_to_tensor([0, 1])
        >>> [round(float(l), 4) for l in loss(y_true, 0.5 * ops.ones((2, 2)))]
        [0.8318, 0.5545]
    """

    def __init__(
        self,
        counts: Sequence[float],
        beta: float = 0.999,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        ignore_class: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(from_logits, label_smoothing, axis, ignore_class, **kwargs)
        self.counts = checks.numbers_list(self, "counts", counts, "[1, inf)")
        self.beta = checks.number(self, "beta", beta, "[0, 1)")

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        log_p = log_probabilities(at_least_float32(y_pred), self.from_logits, self.axis)
        n = per_class(self, "counts", self.counts, log_p, self.axis)
        w = -1 / ops.expm1(n * math.log(self.beta or 1e-30))  # 1 / (1 - β^n), with all its digits
        w = w / ops.mean(w)
        y = class_distribution(y_true, log_p, self.axis)
        w_y = ops.sum(w * y, axis=self.axis)
        return w_y * crossentropy(y_true, log_p, self.axis, self.label_smoothing)
