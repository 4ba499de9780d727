from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.losses.categorical_loss import CategoricalLoss
from kcatalog.ops.labels import class_distribution
from kcatalog.ops.masks import counted
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.replicas import mean_over_replicas
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Weighted kappa loss function for multi-class classification of ordinal data in deep "
        "learning",
        "de la Torre, Puig, Valls",
        2018,
        "https://doi.org/10.1016/j.patrec.2017.05.018",
        "the weighted kappa loss, log (1 - κ)",
    ),
    equation="L = log (N/D + ε),  N = Σ_b Σ_ij q_bi W_ij p_bj,  D = 1/B Σ_ij (Σ q_i) W_ij (Σ p_j)",
    tags=("integer-labels", "one-hot-labels", "in-batch"),
    space={"weightage": Choice("linear", "quadratic"), "epsilon": Float(1e-8, 1e-2, log=True)},
    example=Example(
        {"weightage": "linear"}, shape=(5,), targets="labels", predictions="probabilities"
    ),
)
class WeightedKappa(CategoricalLoss):
    """The logarithm of 1 - κ, with κ Cohen's weighted kappa, for classes that have an order.

    For grades and stages (severity of a disease, stars of a review) that are judged by quadratic
    weighted kappa: it optimizes that score itself. κ holds the batch's errors against those
    of chance, so batches must be large enough to show the mix of classes; a batch of one
    class has no gradient. Expect a plateau at the start, or begin with cross-entropy.

    Maths:
        `L = log (N/D + ε)` and `κ = 1 - N/D`. `N = 1/B Σ_b N_b` with `N_b = Σ_ij q_bi W_ij p_bj`,
        and `D = 1/B Σ_b D_b` with `D_b = Σ_ij q̄_i W_ij p_bj`, are the mean costs of the
        predictions and of chance: `p` = the probabilities (`y_pred`), `q` = `y_true` as one-hot
        rows, `q̄` their mean over the `B` samples, `ε` = `epsilon`. `W_ij` is `|i - j|` (linear)
        or `(i - j)²` (quadratic); its scale cancels.

    Args:
        weightage: What a miss costs, "linear" or "quadratic".
        epsilon: `ε`, what keeps a perfect batch off log 0, a number in (0, 1].
        from_logits: True where `y_pred` holds logits.

    Shapes:
        `y_true`: class indices `(batch, ...)` or `(batch, ..., 1)`, or one-hot
        `(batch, ..., classes)`, classes in their order.
        `y_pred`: `(batch, ..., classes)`. Unreduced: `(batch, ...)`.

    Behaviour:
        From log ε (perfect) through about 0 (chance) upwards. The loss belongs to the batch; a
        sample's value is `L + (N_b - r D_b) / (D (r + ε))` with `r = N/D`: how much more than its
        share it adds, to first order. Their mean is `L`, and their gradients are the
        samples' parts in the gradient of `L`, so `sample_weight` weighs what each sample teaches;
        `N` and `D` still count all alike. Half precision is computed in float32. Where
        chance cannot fail (`D = 0`) `r` is 0. Probabilities are taken as they are.

    Example:
        Errors half as dear as those of chance, `log 1/2`:

        >>> loss = WeightedKappa()
        >>> y_true = ops.convert_to_tensor([0, 1])
        >>> round(float(loss(y_true, ops.convert_to_tensor([[0.75, 0.25], [0.25, 0.75]]))), 4)
        -0.6931
    """

    compares_samples = True

    def __init__(
        self,
        weightage: str = "quadratic",
        epsilon: float = 1e-6,
        from_logits: bool = False,
        ignore_class: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(ignore_class, **kwargs)
        self.weightage = checks.choice(self, "weightage", weightage, ("linear", "quadratic"))
        self.epsilon = checks.number(self, "epsilon", epsilon, "(0, 1]")
        self.from_logits = checks.boolean(self, "from_logits", from_logits)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        p = at_least_float32(y_pred)
        p = ops.softmax(p, axis=-1) if self.from_logits else p
        q = class_distribution(y_true, p)
        samples = tuple(range(len(p.shape) - 1))
        N_b = ops.sum(self._costs(q) * p, axis=-1)
        counts = counted(y_pred, N_b)
        q_mean = mean_over_replicas(q, samples, keepdims=True, weights=counts[..., None])
        D_b = ops.sum(self._costs(q_mean) * p, axis=-1)
        # the batch's own quantities are constants to a sample
        N, D = (mean_over_replicas(x, weights=counts) for x in (N_b, D_b))
        possible = D > 0
        D = ops.where(possible, D, 1.0)
        r, ε = ops.where(possible, N / D, 0.0), self.epsilon
        share = ops.where(possible, (N_b - r * D_b) / (D * (r + ε)), 0.0)
        return ops.log(r + ε) + share

    def faults(self, targets: Tensor, y_pred: Tensor, values: Tensor) -> Tensor:
        return ops.sum(super().faults(targets, y_pred, values))

    def _costs(self, q):
        """`Σ_i q_i W_ij` for every class `j`: what it costs to answer `j`."""
        i = ops.arange(q.shape[-1], dtype=q.dtype)
        W = ops.abs(i[:, None] - i[None, :]) / max(1, q.shape[-1] - 1)
        return ops.matmul(q, W**2 if self.weightage == "quadratic" else W)
