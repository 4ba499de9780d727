import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Paper
from kcatalog.ops.labels import class_distribution
from kcatalog.ops.weights import weights_like
from kcatalog.registry import component


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
class MultiLabelConfusionMatrix(keras.metrics.Metric):
    """One 2×2 confusion matrix for each label.

    Shows which labels are missed and which are named too often; precision, recall and F1 of every
    label follow from it. It is an array, no number: read it from `evaluate(...,
    return_dict=True)`; callbacks that plot, log or compare scalars cannot use it.

    Maths:
        `M_k = [[TN_k, FP_k], [FN_k, TP_k]]`: for label `k` the summed weight of samples that
        have it (second row) or not (first), and were given it (second column) or not (first).

    Args:
        num_classes: How many labels there are, an integer in [1, inf).
        threshold: Above it a label counts as named, a number in (-inf, inf) or None: then the
            largest score names the one label, as for classes that exclude each other.

    Shapes:
        `y_true`: 0 or 1 `(batch, ..., num_classes)`; or class indices `(batch, ...)`.
        `y_pred`: scores `(batch, ..., num_classes)`. The result is `(num_classes, 2, 2)`.

    Behaviour:
        Streaming. Weights may be `(batch,)` or, one for each label, of the shape of `y_pred`.
        scikit-learn's `multilabel_confusion_matrix` has the same layout. TensorFlow Addons cuts
        `y_pred` to whole numbers (0.9 is 0 there) and ignores weights.

    Example:
        The second label was named once where it was not, and missed once:

        >>> metric = MultiLabelConfusionMatrix(num_classes=2)
        >>> y_pred = keras.ops.convert_to_tensor([[0.9, 0.8], [0.2, 0.4]])
        >>> keras.ops.convert_to_numpy(metric([[1, 0], [0, 1]], y_pred)).tolist()
        [[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]]
    """

    def __init__(self, num_classes, threshold=0.5, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = checks.integer(self, "num_classes", num_classes, "[1, inf)")
        self.threshold = checks.number(self, "threshold", threshold, "(-inf, inf)", optional=True)
        self._counts = self.add_variable((num_classes, 2, 2), "zeros", "float32", name="counts")

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_pred = ops.convert_to_tensor(y_pred)
        if len(y_pred.shape) < 2 or y_pred.shape[-1] != self.num_classes:
            rule = f"scores (batch, ..., {self.num_classes})"
            raise checks.error(self, "y_pred", rule, tuple(y_pred.shape))
        if self.threshold is None:
            named = ops.one_hot(ops.argmax(y_pred, axis=-1), self.num_classes, dtype="float32")
        else:
            named = ops.cast(y_pred > self.threshold, "float32")
        there = class_distribution(y_true, named)
        w = weights_like(sample_weight, named)

        def rows(x):
            return ops.reshape(x, (-1, self.num_classes))

        y = ops.stack([rows(w * (1 - there)), rows(w * there)], axis=-1)
        p = ops.stack([rows(1 - named), rows(named)], axis=-1)
        self._counts.assign_add(ops.einsum("nki,nkj->kij", y, p))

    def result(self):
        return ops.cast(self._counts.value, self.dtype)
