from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Paper
from kcatalog.metrics.metric import Metric
from kcatalog.ops.classification import confusion_matrix, true_and_predicted
from kcatalog.ops.weights import Weights
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Comparing two K-category assignments by a K-category correlation coefficient",
        "Gorodkin",
        2004,
        "https://doi.org/10.1016/j.compbiolchem.2004.09.006",
    ),
    better="higher",
    tags=("integer-labels", "one-hot-labels", "streaming"),
    example=Example({"num_classes": 4}, shape=(4,), targets="labels"),
)
class MatthewsCorrelation(Metric):
    """Matthews correlation coefficient, for two classes or many.

    1 is full agreement, 0 is no relation, and for two classes -1 is full disagreement. It is the
    correlation of the one-hot labels with the one-hot predictions (phi, for two classes), and is
    high only if every class is found and little else is taken for it. Take it where classes are
    unbalanced and all of them matter; `CohenKappa` where classes are grades.

    Maths:
        `R = Σ_k (TP_k TN_k - FP_k FN_k) / √(Σ_k a_k (n - a_k) · Σ_k b_k (n - b_k))`, with `n`
        samples, `a_k` of which are of class `k` and `b_k` of which were taken for `k`; `TP_k` to
        `FN_k` count class `k` against all others. That is Gorodkin's `R_K`, regrouped so
        that rare classes lose no digits; for two classes it is Matthews' coefficient.

    Args:
        num_classes: How many classes there are, an integer in [2, inf).
        threshold: Where a plain number changes from one class to the next, a number in
            (-inf, inf). 0.5 rounds; take 0 for the logit of two classes. Not used for scores.

    Shapes:
        `y_true`: class indices `(batch, ...)` or `(batch, ..., 1)`, or one-hot.
        `y_pred`: scores `(batch, ..., num_classes)`, the largest of which counts; or one number
        for each sample, `(batch,)` or `(batch, 1)`: the probability of class 1 of two, or a class
        index. The result is a scalar.

    Behaviour:
        The state is the confusion matrix, so batches add up exactly. Labels outside
        `[0, num_classes)` are left out. Where labels or predictions are all of one class the
        result is 0, as in scikit-learn.

    Example:
        TP = 2, TN = 1, FP = 1, FN = 0: `2 / √(2 · 2 · 1 · 3)`.

        >>> metric = MatthewsCorrelation(num_classes=2)
        >>> value = metric([0, 0, 1, 1], [0.1, 0.7, 0.8, 0.9])
        >>> round(float(value), 4)
        0.5774
    """

    def __init__(self, num_classes: int, threshold: float = 0.5, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_classes = checks.integer(self, "num_classes", num_classes, "[2, inf)")
        self.threshold = checks.number(self, "threshold", threshold, "(-inf, inf)")
        shape = (num_classes, num_classes)
        self._counts = self.add_variable(shape, "zeros", "float32", name="counts")

    def count(self, y_true: Tensor, y_pred: Tensor, weights: Weights) -> None:
        y, p = true_and_predicted(self, y_true, y_pred, self.num_classes, self.threshold)
        self._counts.assign_add(confusion_matrix(y, p, self.num_classes, weights(y)))

    def result(self) -> Tensor:
        C = ops.convert_to_tensor(self._counts)
        k = ops.arange(self.num_classes)
        wrong = ops.where(k[:, None] == k[None, :], 0.0, C)
        TP, FP, FN = ops.diagonal(C), ops.sum(wrong, axis=0), ops.sum(wrong, axis=1)
        n = ops.sum(TP) + ops.sum(FP)
        TP, FP, FN = (ops.divide_no_nan(c, n) for c in (TP, FP, FN))  # products would overflow
        a, b = TP + FN, TP + FP
        spread_a, spread_b = ops.sum(a * _others(a)), ops.sum(b * _others(b))
        # of two equal differences the one that rounds less, compared with what it is divided by
        TN = ops.where(spread_a < spread_b, _others(a) - FP, _others(b) - FN)
        together = ops.sum(TP * TN) - ops.sum(FP * FN)
        spread = ops.sqrt(spread_a) * ops.sqrt(spread_b)
        return ops.cast(ops.divide_no_nan(together, spread), self.dtype)


def _others(x):
    """For each number the sum of all others: not by subtracting, which leaves rounding for 0."""
    before, after = ops.cumsum(x), ops.flip(ops.cumsum(ops.flip(x)))
    return ops.pad(before[:-1], ((1, 0),)) + ops.pad(after[1:], ((0, 1),))
