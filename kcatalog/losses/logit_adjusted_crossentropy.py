from collections.abc import Sequence
from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.losses.class_loss import ClassLoss
from kcatalog.ops.labels import per_class
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.probabilities import crossentropy, logits
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Long-tail Learning via Logit Adjustment",
        "Menon, Jayasumana, Rawat, Jain, Veit, Kumar",
        2021,
        "https://arxiv.org/abs/2007.07314",
        "equation 10",
    ),
    equation="l = -log softmax(s + τ log π)_y, π_c = n_c / Σ n",
    tags=("integer-labels", "one-hot-labels", "logits"),
    space={"tau": Float(0.0, 2.0), "label_smoothing": Choice(0.0, 0.1)},
    example=Example(
        {"counts": [900, 300, 40, 10, 2], "tau": 1.5, "from_logits": True},
        shape=(5,),
        targets="labels",
    ),
)
class LogitAdjustedCrossentropy(ClassLoss):
    """Cross-entropy on logits shifted by the log of each class's frequency.

    For training data with frequent and rare classes where all classes shall count alike. The shift
    carries what is only frequency, so the model's own logits need not: used without the shift
    they minimize the balanced error. Unlike class weights, this also works once the training
    data are fitted perfectly. Not where frequencies in use are those in training.

    Maths:
        `l = -log softmax(s + τ log π)_y`, with `π_c` = `counts[c]` / their sum, `s` = `y_pred`
        (for probabilities, their logarithm) and `τ` = `tau`.

    Args:
        counts: How often each class occurs in training, or its share of it: a list of numbers in
            (0, inf), one for each class.
        tau: `τ`, a number in [0, inf); 0 is cross-entropy, 1 the balanced error.

    Behaviour:
        Each sample on its own. Half precision is computed in float32. The shift is in the loss
        only: a metric such as accuracy sees the model's own outputs, as it should. Probabilities
        are kept off 0 and 1 as Keras does.

    Example:
        Equal logits, so that the adjusted probability of a class is its frequency, 1/4:

        >>> loss = LogitAdjustedCrossentropy(counts=[3, 1], from_logits=True)
        >>> y_true = ops.convert_to_tensor([1])
        >>> round(float(loss(y_true, ops.zeros((1, 2)))), 4)
        1.3863
    """

    def __init__(
        self,
        counts: Sequence[float],
        tau: float = 1.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        ignore_class: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(from_logits, label_smoothing, axis, ignore_class, **kwargs)
        self.counts = checks.numbers_list(self, "counts", counts, "(0, inf)")
        self.tau = checks.number(self, "tau", tau, "[0, inf)")

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        s = logits(at_least_float32(y_pred), self.from_logits, self.axis)
        n = per_class(self, "counts", self.counts, s, self.axis)
        π = n / ops.sum(n)
        log_p = ops.log_softmax(s + self.tau * ops.log(π), axis=self.axis)
        return crossentropy(y_true, log_p, self.axis, self.label_smoothing)
