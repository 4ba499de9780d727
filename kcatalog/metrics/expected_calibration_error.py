from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Int, Paper
from kcatalog.metrics.metric import Metric
from kcatalog.ops.classification import true_classes
from kcatalog.ops.weights import Weights, without_nan
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "On Calibration of Modern Neural Networks",
        "Guo, Pleiss, Sun, Weinberger",
        2017,
        "https://arxiv.org/abs/1706.04599",
        "section 2, equations 3 and 5",
    ),
    equation="ECE = Σ_m |B_m| / n · |acc(B_m) - conf(B_m)|",
    better="lower",
    tags=("integer-labels", "one-hot-labels", "streaming"),
    space={"num_bins": Int(10, 20)},
    example=Example(
        {"num_bins": 10, "norm": "l2"}, shape=(4,), targets="labels", predictions="probabilities"
    ),
)
class ExpectedCalibrationError(Metric):
    """Expected calibration error: the distance of confidence from accuracy, by bins.

    0 is a model whose confidence can be taken at its word. It says nothing of how good the model
    is: one that always predicts class frequencies is calibrated. Few samples in many bins
    overstate it, so compare values of one `num_bins` and one size of set.

    Maths:
        Samples go to `M` = `num_bins` bins of equal width by their confidence, the probability of
        the most probable class: `B_m` holds those in `((m - 1)/M, m/M]`. With `w` the share of a
        bin and `g = |acc - conf|` its gap, `norm="l1"` is `Σ w g` (ECE), `"max"` is the largest
        `g` (MCE), and `"l2"` is `√(Σ w g²)`.

    Args:
        num_bins: `M`, an integer in [1, inf). The paper's is 15.
        norm: `"l1"`, `"l2"` or `"max"`.
        from_logits: Whether `y_pred` are logits (softmax, or sigmoid for two classes) instead
            of probabilities.

    Shapes:
        `y_true`: class indices `(batch, ...)` or `(batch, ..., 1)`, or one-hot.
        `y_pred`: `(batch, ..., classes)`; or `(batch,)` or `(batch, 1)`, the probability `p` of
        class 1 of two, which means what `(1 - p, p)` means. The result is a scalar.

    Behaviour:
        Streaming: the state is three sums for each bin. Half precision is computed in float32.
        With no data the result is 0. Binary scores of some other libraries bin `p` itself and
        compare it with the share of class 1; here both classes count, as in the paper. A label that
        is no class is an error, or NaN within a compiled step.

    Example:
        Said with 0.9, right once and wrong once; said with 0.6 and right: gaps of 0.4 and 0.4.

        >>> metric = ExpectedCalibrationError()
        >>> y_pred = [[0.9, 0.1], [0.1, 0.9], [0.4, 0.6]]
        >>> round(float(metric([0, 0, 1], y_pred)), 4)
        0.4
    """

    def __init__(
        self, num_bins: int = 15, norm: str = "l1", from_logits: bool = False, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.num_bins = checks.integer(self, "num_bins", num_bins, "[1, inf)")
        self.norm = checks.choice(self, "norm", norm, ("l1", "l2", "max"))
        self.from_logits = checks.boolean(self, "from_logits", from_logits)
        self._size, self._right, self._confidence = (
            self.add_variable((num_bins,), "zeros", "float32", name=name)
            for name in ("size", "right", "confidence")
        )

    def count(self, y_true: Tensor, y_pred: Tensor, weights: Weights) -> None:
        p = without_nan(ops.cast(y_pred, "float32"))
        if len(p.shape) < 2 or p.shape[-1] == 1:
            p = p[:, None] if len(p.shape) < 2 else p
            p = ops.sigmoid(p) if self.from_logits else p
            p = ops.concatenate([1 - p, p], axis=-1)
        elif self.from_logits:
            p = ops.softmax(p, axis=-1)
        y, no_class = true_classes(self, y_true, p)
        confidence, y_hat = ops.max(p, axis=-1), ops.cast(ops.argmax(p, axis=-1), "int32")
        w, right = weights(y, no_class), ops.cast(y == y_hat, "float32")

        m = ops.cast(ops.ceil(confidence * self.num_bins), "int32") - 1
        m = ops.reshape(ops.clip(m, 0, self.num_bins - 1), (-1,))
        for state, values in (
            (self._size, w),
            (self._right, w * right),
            (self._confidence, w * confidence),
        ):
            state.assign_add(ops.segment_sum(ops.reshape(values, (-1,)), m, self.num_bins))

    def result(self) -> Tensor:
        size, right = ops.convert_to_tensor(self._size), ops.convert_to_tensor(self._right)
        gap = ops.abs(ops.divide_no_nan(right - self._confidence, size))
        w = ops.divide_no_nan(size, ops.sum(size))
        if self.norm == "max":
            error = ops.max(gap)
        elif self.norm == "l2":
            error = ops.sqrt(ops.sum(w * gap * gap))
        else:
            error = ops.sum(w * gap)
        return ops.cast(error, self.dtype)
