from collections.abc import Sequence
from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.losses.class_loss import ClassLoss
from kcatalog.ops.labels import class_distribution, per_class
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.probabilities import crossentropy, logits
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss",
        "Cao, Wei, Gaidon, Arechiga, Ma",
        2019,
        "https://arxiv.org/abs/1906.07413",
        "equations 12 and 13",
    ),
    equation="l = -log softmax(k (s - Δ_y e_y))_y, Δ_c = m (min n / n_c)^(1/4)",
    tags=("integer-labels", "one-hot-labels", "logits"),
    space={
        "max_margin": Float(0.0, 1.0),
        "scale": Float(1.0, 60.0, log=True),
        "label_smoothing": Choice(0.0, 0.1),
    },
    example=Example(
        {"counts": [900, 300, 40, 10, 2], "scale": 3.0, "from_logits": True},
        shape=(5,),
        targets="labels",
    ),
)
class LDAM(ClassLoss):
    """Cross-entropy after the right score has been lowered by its class's margin.

    For training data with frequent and rare classes. The margins are those that balance a bound
    on the error: they grow with the fourth root of rarity. Made for scores that are cosines, of
    unit-length features with unit-length class vectors; on free logits the model can outgrow any
    margin. The paper first trains with this loss alone and gives weights to rare classes only
    in the last fifth of the epochs (`sample_weight`).

    Maths:
        `l = -log softmax(k (s - Δ_y e_y))_y`, with `Δ_c = m (min n / n_c)^(1/4)`, `e_y` one-hot,
        `s` = `y_pred` (for probabilities, their logarithm), `n` = `counts`, `m` = `max_margin`
        and `k` = `scale`. The paper's `C` is chosen such that the rarest class has the margin `m`.

    Args:
        counts: How often each class occurs in training, or its share of it: a list of numbers in
            (0, inf), one for each class.
        max_margin: `m`, the margin of the rarest class in units of scores, a number in [0, inf).
        scale: `k`, the inverse temperature that cosines need, a number in (0, inf).
        from_logits: True where `y_pred` holds cosines or logits, as it should.

    Shapes:
        `y_true`: class indices `(batch, ...)` or `(batch, ..., 1)`, or one-hot of the shape of
        `y_pred`. `y_pred`: `(batch, ..., classes)`. Unreduced: `(batch, ...)`.

    Behaviour:
        Each sample on its own. Half precision is computed in float32. The margin stands in the loss
        only. Where a target is shared among classes, each gives its share of its margin; smoothing
        comes after the margin and does not change it.

    Example:
        The margin 0.5 uses up the lead of the right score; the rest is log 2:

        >>> loss = LDAM(counts=[16, 1], max_margin=0.5, from_logits=True)
        >>> y_true = ops.convert_to_tensor([1])
        >>> round(float(loss(y_true, ops.convert_to_tensor([[0.25, 0.75]]))), 4)
        0.6931
    """

    def __init__(
        self,
        counts: Sequence[float],
        max_margin: float = 0.5,
        scale: float = 30.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        ignore_class: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(from_logits, label_smoothing, axis, ignore_class, **kwargs)
        self.counts = checks.numbers_list(self, "counts", counts, "(0, inf)")
        self.max_margin = checks.number(self, "max_margin", max_margin, "[0, inf)")
        self.scale = checks.number(self, "scale", scale, "(0, inf)")

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        s = logits(at_least_float32(y_pred), self.from_logits, self.axis)
        n = per_class(self, "counts", self.counts, s, self.axis)
        Δ = self.max_margin * (ops.min(n) / n) ** 0.25
        e_y = class_distribution(y_true, s, self.axis)
        log_p = ops.log_softmax(self.scale * (s - Δ * e_y), axis=self.axis)
        return crossentropy(y_true, log_p, self.axis, self.label_smoothing)
