from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.metrics.kept_pairs import KeptPairs
from kcatalog.ops.ranks import different, kendall_pairs
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "The Treatment of Ties in Ranking Problems",
        "Kendall",
        1945,
        "https://doi.org/10.1093/biomet/33.3.239",
    ),
    equation="τ_b = (P - Q) / √(pairs that differ in x · pairs that differ in y)",
    better="higher",
    tags=("streaming",),
    space={"variant": Choice("b", "c")},
    example=Example({"variant": "c", "capacity": 32}, shape=(1,)),
)
class KendallTau(KeptPairs):
    """Kendall's rank correlation of targets and predictions, exact over an epoch, with ties.

    1 means that every pair of samples is in the right order, -1 that none is, and 0.5 that a pair
    is right three times as often as wrong: it reads more plainly than `SpearmanCorrelation`, whose
    values are larger and which minds large displacements more. Take variant c where targets and
    predictions have few and unequal numbers of different values, such as grades.

    Maths:
        `P` pairs have the same order in `x` = `y_true` and `y` = `y_pred`, `Q` the opposite one;
        pairs tied in either count in neither. `τ_b = (P - Q) / √(D_x D_y)`, with `D` the pairs
        that differ in `x` or in `y`. Stuart's `τ_c = 2 (P - Q) / (n² (m - 1) / m)`, with `n`
        samples and `m` the smaller number of different values. A pair of weights `v` and `w`
        counts `v w`: a sample of weight 2 is two samples.

    Args:
        variant: `"b"` or `"c"`.

    Behaviour:
        By batches or at once the result is the same. Pairs in the wrong order are counted by
        merging sorted halves (Knight 1966): `O(capacity log² capacity)` time, `O(capacity)` state.
        Values are compared in float32. If all targets or all predictions are equal the result is
        0, where SciPy gives NaN. TensorFlow Addons counts in histogram bins, whose range must be
        known before. In training the samples of an epoch come from a model that changes meanwhile:
        read the validation value. Several replicas of `tf.distribute`, each of which would see its
        own samples, are refused.

    Example:
        Of six pairs one is in the wrong order, `(5 - 1) / 6`:

        >>> metric = KendallTau(capacity=8)
        >>> print(f"{float(metric([1, 2, 3, 4], [10, 30, 20, 90])):.4f}")
        0.6667
    """

    def __init__(self, variant: str = "b", capacity: int = 4096, **kwargs: Any):
        super().__init__(capacity, **kwargs)
        self.variant = checks.choice(self, "variant", variant, ("b", "c"))

    def result(self) -> Tensor:
        x, y, w = self.kept()
        P_less_Q, D_x, D_y = kendall_pairs(x, y, w)
        if self.variant == "b":
            most = ops.sqrt(D_x) * ops.sqrt(D_y)
        else:
            m = ops.minimum(different(x, w), different(y, w))
            most = ops.square(ops.sum(w)) * (1 - ops.divide_no_nan(1.0, m)) / 2
        τ = ops.clip(ops.divide_no_nan(P_less_Q, most), -1.0, 1.0)  # sums of weights round
        return ops.cast(τ, self.dtype)
