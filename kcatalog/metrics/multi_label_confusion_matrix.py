from typing import Any

import numpy as np
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Paper
from kcatalog.metrics.metric import Metric, known
from kcatalog.ops.classification import true_classes
from kcatalog.ops.targets import same_shape
from kcatalog.ops.weights import Weights
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Mining Multi-label Data",
        "Tsoumakas, Katakis, Vlahavas",
        2010,
        "https://doi.org/10.1007/978-0-387-09823-4_34",
        "label-based measures",
    ),
    tags=("integer-labels", "one-hot-labels", "streaming"),
    example=Example({"num_classes": 4, "threshold": 0.3}, shape=(4,), targets="labels"),
    exemptions={
        "sample_weight_counts": "it counts weight: doubled weights are doubled counts",
        "direction_true": "its result is an array, which is neither higher nor lower than another",
    },
)
class MultiLabelConfusionMatrix(Metric):
    """One 2×2 confusion matrix for each label.

    Shows which labels are missed and which are named too often; precision, recall and F1 of every
    label follow from it. It is an array, but Keras logs numbers: in logs and histories, and within
    compiled steps, it stands as the share of labels that are wrong (`Hamming`). Read the matrices
    from the metric's `result()`, after `fit` or `evaluate`.

    Maths:
        `M_k = [[TN_k, FP_k], [FN_k, TP_k]]`: for label `k` the summed weight of samples that
        have it (second row) or not (first), and were given it (second column) or not (first).

    Args:
        num_classes: How many labels there are, an integer in [1, inf).
        threshold: Above it a label counts as named, a number in (-inf, inf) or None: then the
            largest score names the one label, as for classes that exclude each other.

    Shapes:
        `y_true`: 0 or 1 `(batch, ..., num_classes)`; or class indices `(batch, ...)`.
        `y_pred`: scores `(batch, ..., num_classes)`. The result is a NumPy array `(num_classes, 2,
        2)`.

    Behaviour:
        Streaming. Weights may be `(batch,)` or, one for each label, of the shape of `y_pred`. A
        class index that is no class is an error, or NaN within a compiled step.
        scikit-learn's `multilabel_confusion_matrix` has the same layout. TensorFlow Addons cuts
        `y_pred` to whole numbers (0.9 is 0 there) and ignores weights.

    Example:
        The second label was named once where it was not, and missed once:

        >>> metric = MultiLabelConfusionMatrix(num_classes=2)
        >>> y_pred = [[0.9, 0.8], [0.2, 0.4]]
        >>> metric([[1, 0], [0, 1]], y_pred).tolist()
        [[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]]
    """

    def __init__(self, num_classes: int, threshold: float | None = 0.5, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_classes = checks.integer(self, "num_classes", num_classes, "[1, inf)")
        self.threshold = checks.number(self, "threshold", threshold, "(-inf, inf)", optional=True)
        self._counts = self.add_variable((num_classes, 2, 2), "zeros", "float32", name="counts")

    def count(self, y_true: Tensor, y_pred: Tensor, weights: Weights) -> None:
        if len(y_pred.shape) < 2 or y_pred.shape[-1] != self.num_classes:
            rule = f"scores (batch, ..., {self.num_classes})"
            raise checks.error(self, "y_pred", rule, tuple(y_pred.shape))
        if self.threshold is None:
            named = ops.one_hot(ops.argmax(y_pred, axis=-1), self.num_classes, dtype="float32")
        else:
            named = ops.cast(y_pred > self.threshold, "float32")
        column = y_true.shape[-1] == 1 and self.num_classes > 1  # of class indices
        if len(y_true.shape) == len(y_pred.shape) and not column:
            same_shape(self, y_true, y_pred.shape, "Each label of a sample is 0 or 1.")
            there, no_class = ops.cast(ops.cast(y_true, "float32") > 0.5, "float32"), None
        else:
            y, no_class = true_classes(self, y_true, y_pred)
            there = ops.one_hot(y, self.num_classes, dtype="float32")
        w = weights(named, no_class)

        def rows(x):
            return ops.reshape(x, (-1, self.num_classes))

        y = ops.stack([rows(w * (1 - there)), rows(w * there)], axis=-1)
        p = ops.stack([rows(1 - named), rows(named)], axis=-1)
        self._counts.assign_add(ops.einsum("nki,nkj->kij", y, p))

    def result(self) -> Tensor:
        counts = known(self._counts)
        if counts is None:
            counts = ops.convert_to_tensor(self._counts)
            return ops.cast(_share_wrong(counts, ops), self.dtype)
        return counts.astype(self.dtype).view(Matrices)


class Matrices(np.ndarray):
    """A NumPy array of 2×2 confusion matrices that as one number is the share of wrong labels.

    Keras's callbacks (TensorBoard, CSVLogger, a history that becomes JSON) take numbers only, and
    Keras makes numbers of all that it logs, by `float`.
    """

    def __float__(self) -> float:
        whole = self.ndim > 1 and self.shape[-2:] == (2, 2)
        return float(_share_wrong(np.asarray(self), np)) if whole else super().__float__()


def _share_wrong(counts, numpy):
    """Return the share of labels that are wrong: the Hamming loss."""
    wrong, total = numpy.sum(counts[..., 0, 1] + counts[..., 1, 0]), numpy.sum(counts)
    return wrong / numpy.where(total == 0, 1.0, total)
