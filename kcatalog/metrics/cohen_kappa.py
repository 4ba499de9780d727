from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.metrics.metric import Metric
from kcatalog.ops.classification import confusion_matrix, true_and_predicted
from kcatalog.ops.weights import Weights
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Weighted kappa: Nominal scale agreement with provision for scaled disagreement",
        "Cohen",
        1968,
        "https://doi.org/10.1037/h0026256",
    ),
    better="higher",
    tags=("integer-labels", "one-hot-labels", "streaming"),
    space={"weights": Choice(None, "linear", "quadratic")},
    example=Example({"num_classes": 4, "weights": "quadratic"}, shape=(4,), targets="labels"),
)
class CohenKappa(Metric):
    """Cohen's kappa: agreement of labels and predictions, less what chance would give.

    1 is full agreement, 0 what two raters reach who guess by their own class frequencies, and
    below 0 is worse than that. For unbalanced classes it says more than accuracy. With
    `weights="quadratic"` it is the usual score for grades (0, 1, 2, ...), where being wrong by two
    is worse than by one. Values of different data sets compare badly: chance depends on the
    class frequencies.

    Maths:
        `κ = 1 - Σ v_ij p_ij / Σ v_ij a_i b_j`, with `p_ij` the share of samples that are `i` and
        were taken for `j`, `a` and `b` its sums over rows and columns, and the disagreement
        `v_ij` by `weights`: None is `[i ≠ j]` (Cohen 1960), `"linear"` is `|i - j|`, and
        `"quadratic"` is `(i - j)²`.

    Args:
        num_classes: How many classes there are, an integer in [2, inf).
        weights: How much a disagreement counts: None, `"linear"` or `"quadratic"`.
        threshold: Where a plain number changes from one class to the next, a number in
            (-inf, inf). 0.5 rounds; take 0 for the logit of two classes. Not used for scores.

    Shapes:
        `y_true`: class indices `(batch, ...)` or `(batch, ..., 1)`, or one-hot.
        `y_pred`: scores `(batch, ..., num_classes)`, the largest of which counts; or one number
        for each sample, `(batch,)` or `(batch, 1)`: the probability of class 1 of two, a grade by
        regression, or a class index. The result is a scalar.

    Behaviour:
        The state is the confusion matrix, so batches add up exactly. Labels outside
        `[0, num_classes)` are left out. Where chance cannot disagree (no data; one class for all)
        the result is 0; scikit-learn gives NaN there.

    Example:
        Of four samples three agree, where half of them would by chance:

        >>> metric = CohenKappa(num_classes=2)
        >>> float(metric([0, 0, 1, 1], [0.1, 0.7, 0.8, 0.9]))
        0.5
    """

    def __init__(
        self, num_classes: int, weights: str | None = None, threshold: float = 0.5, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.num_classes = checks.integer(self, "num_classes", num_classes, "[2, inf)")
        self.weights = checks.choice(self, "weights", weights, (None, "linear", "quadratic"))
        self.threshold = checks.number(self, "threshold", threshold, "(-inf, inf)")
        shape = (num_classes, num_classes)
        self._counts = self.add_variable(shape, "zeros", "float32", name="counts")

    def count(self, y_true: Tensor, y_pred: Tensor, weights: Weights) -> None:
        y, p = true_and_predicted(self, y_true, y_pred, self.num_classes, self.threshold)
        self._counts.assign_add(confusion_matrix(y, p, self.num_classes, weights(y)))

    def result(self) -> Tensor:
        p = ops.convert_to_tensor(self._counts)
        p = ops.divide_no_nan(p, ops.sum(p))
        a, b = ops.sum(p, axis=1), ops.sum(p, axis=0)
        i = ops.arange(self.num_classes, dtype="float32")
        apart = ops.abs(i[:, None] - i[None, :])
        v = {
            None: ops.minimum(apart, 1.0),
            "linear": apart,
            "quadratic": ops.square(apart),
        }[self.weights]
        seen, by_chance = ops.sum(v * p), ops.sum(v * ops.outer(a, b))
        return ops.cast(ops.divide_no_nan(by_chance - seen, by_chance), self.dtype)
