from keras import ops

from kcatalog.card import Example, Paper
from kcatalog.metrics.kept_pairs import KeptPairs
from kcatalog.ops.ranks import centred_ranks
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "The Proof and Measurement of Association between Two Things",
        "Spearman",
        1904,
        "https://doi.org/10.2307/1412159",
    ),
    equation="ρ = Σ w r s / √(Σ w r² · Σ w s²), r and s the centred ranks",
    better="higher",
    tags=("streaming",),
    example=Example({"capacity": 32}, shape=(1,)),
)
class SpearmanCorrelation(KeptPairs):
    """Spearman's rank correlation of targets and predictions, exact over an epoch, with ties.

    1 means that predictions rise wherever targets do, whatever the scale; -1 that they fall. Take
    it where order matters and units do not (similarity scores, grades); where values have to be
    right take an error or `keras.metrics.R2Score`. Ranks need all values at once, so the metric
    keeps `capacity` of them.

    Maths:
        `ρ = Σ w r s / √(Σ w r² · Σ w s²)`: Pearson's correlation of the centred ranks `r` of
        `y_true` and `s` of `y_pred`, where equal values share the mean of their ranks. A weight
        `w` counts copies: a sample of weight 2 is two samples, in the ranks as well as in the
        sums.

    Behaviour:
        By batches or at once the result is the same. The state is `O(capacity)`, the result
        `O(capacity log capacity)` time. Values are compared in float32. If all targets or all
        predictions are equal the result is 0, where SciPy gives NaN. TensorFlow Addons ranks by
        histogram bins, whose range must be known before. In training the samples of an epoch
        come from a model that changes meanwhile: read the validation value. Several replicas of
        `tf.distribute`, each of which would see its own samples, are refused.

    Example:
        Two neighbours of four changed places, `1 - 6 · 2 / (4 · 15)`:

        >>> metric = SpearmanCorrelation(capacity=8)
        >>> print(f"{float(metric([1, 2, 3, 4], [10, 30, 20, 90])):.4f}")
        0.8000
    """

    def result(self) -> Tensor:
        x, y, w = self.kept()
        r, s = centred_ranks(x, w) / self.capacity, centred_ranks(y, w) / self.capacity
        spread = ops.sqrt(ops.sum(w * r * r)) * ops.sqrt(ops.sum(w * s * s))
        return ops.cast(ops.divide_no_nan(ops.sum(w * r * s), spread), self.dtype)
