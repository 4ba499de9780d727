from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.metrics.metric import Metric
from kcatalog.ops.classification import true_classes
from kcatalog.ops.targets import same_shape
from kcatalog.ops.weights import Weights
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Improved Boosting Algorithms Using Confidence-rated Predictions",
        "Schapire, Singer",
        1999,
        "https://doi.org/10.1023/A:1007614523901",
        "section 7",
    ),
    equation="H = mean over samples and labels of [ŷ ≠ y]",
    better="lower",
    tags=("streaming",),
    space={"threshold": Float(0.1, 0.9)},
    example=Example({"threshold": 0.3}, shape=(5,), targets="binary"),
)
class Hamming(Metric):
    """Hamming loss: the share of labels that are wrong, from 0 (best) to 1.

    For several labels a sample, each of which is there or is not. It forgives: where labels are
    rare a model that names none comes close to 0, so read it beside F1. With `mode="multiclass"`
    it is 1 - accuracy; over sequences that is the Hamming distance of the most probable sequence
    to the true one, per position.

    Maths:
        `H = Σ w [ŷ ≠ y] / Σ w` over samples and labels, with weights `w`. In mode `"multilabel"`
        `ŷ = [y_pred > threshold]`, label by label. In mode `"multiclass"` `y` and `ŷ` are
        classes, `ŷ` that of the largest score.

    Args:
        mode: `"multilabel"` or `"multiclass"`.
        threshold: Above it a label counts as named, a number in (-inf, inf); 0 for logits. Not
            used in mode `"multiclass"`.

    Shapes:
        `"multilabel"`: `y_true` 0 or 1 and `y_pred` scores, both `(batch, ...)` of one shape.
        `"multiclass"`: `y_true` class indices `(batch, ...)` or `(batch, ..., 1)`, or one-hot;
        `y_pred` scores `(batch, ..., classes)`. The result is a scalar.

    Behaviour:
        Streaming. Weights may be `(batch,)` or, one for each label, of the shape of the labels.
        With nothing to count the result is 0. In mode `"multiclass"` TensorFlow Addons can apply a
        threshold instead of the largest score; here the largest score always decides. A label that
        is no class is an error, or NaN within a compiled step.

    Example:
        One label of six is wrong, the last:

        >>> metric = Hamming()
        >>> y_pred = [[0.9, 0.2, 0.7], [0.1, 0.8, 0.6]]
        >>> print(f"{float(metric([[1, 0, 1], [0, 1, 0]], y_pred)):.4f}")
        0.1667
    """

    def __init__(self, mode: str = "multilabel", threshold: float = 0.5, **kwargs: Any):
        super().__init__(**kwargs)
        self.mode = checks.choice(self, "mode", mode, ("multilabel", "multiclass"))
        self.threshold = checks.number(self, "threshold", threshold, "(-inf, inf)")
        self._wrong = self.add_variable((), "zeros", "float32", name="wrong")
        self._total = self.add_variable((), "zeros", "float32", name="total")

    def count(self, y_true: Tensor, y_pred: Tensor, weights: Weights) -> None:
        if self.mode == "multiclass":
            if len(y_pred.shape) < 2 or y_pred.shape[-1] == 1:
                fix = 'Labels that are there or not take mode="multilabel".'
                rule = "scores (batch, ..., classes) of two classes at least"
                raise checks.error(self, "y_pred", rule, tuple(y_pred.shape), fix)
            y, no_class = true_classes(self, y_true, y_pred)
            y_hat = ops.cast(ops.argmax(y_pred, axis=-1), "int32")
        else:
            same_shape(self, y_true, y_pred.shape, "Each label of a sample is 0 or 1.")
            y_hat, no_class = y_pred > self.threshold, None
            y = ops.reshape(ops.cast(y_true, "float32") > 0.5, ops.shape(y_hat))
        w = weights(y, no_class)
        self._wrong.assign_add(ops.sum(w * ops.cast(y_hat != y, "float32")))
        self._total.assign_add(ops.sum(w))

    def result(self) -> Tensor:
        return ops.cast(ops.divide_no_nan(self._wrong.value, self._total.value), self.dtype)
