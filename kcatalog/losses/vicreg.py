from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.losses.two_view_loss import TwoViewLoss
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised Learning",
        "Bardes, Ponce, LeCun",
        2021,
        "https://arxiv.org/abs/2105.04906",
        "equation 6",
    ),
    tags=("in-batch",),
    space={
        "invariance_weight": Float(1.0, 50.0, log=True),
        "variance_weight": Float(1.0, 50.0, log=True),
        "covariance_weight": Float(0.1, 10.0, log=True),
    },
    example=Example(
        {"invariance_weight": 5.0, "variance_weight": 10.0, "gamma": 2.0}, shape=(2, 5)
    ),
    exemptions={
        "degenerate_input-float16": "the gradient of embeddings of 1e4 is beyond 1e9, as it should "
        "be; float16 ends at 65504",
    },
)
class VICReg(TwoViewLoss):
    """Variance, invariance and covariance regularization: self-supervision without negatives.

    Two views of a sample are drawn together; what keeps all from collapsing to a point is asked of
    each view by itself, so the two towers may differ in anything but the number of features. It
    works with smaller batches than contrastive losses (256), and wants a wide expander behind the
    encoder (8192 features in the paper); the embeddings to keep are those before it.

    Maths:
        `L = λ mean (a - b)² + μ (v(a) + v(b)) / 2 + ν (c(a) + c(b))`, with `v(x)` = mean over
        features of `max(0, γ - √(Var x + ε))`, and `c(x)` = the sum of squared covariances of
        different features / features. `λ` = `invariance_weight`, `μ` = `variance_weight`, `ν` =
        `covariance_weight`, `γ` = `gamma`, `ε` = `epsilon`. Differs from the paper's text and
        agrees with its code, for which the weights are meant: the first mean is over features too,
        and there is the half before `v`.

    Args:
        invariance_weight: `λ`, a number in [0, inf).
        variance_weight: `μ`, a number in [0, inf).
        covariance_weight: `ν`, a number in [0, inf).
        gamma: `γ`, the standard deviation that each feature should have, a number in (0, inf).
        epsilon: `ε`, a number in (0, inf).

    Shapes:
        `y_true` and `y_pred`: the two views, `(batch, features)` each, `loss(a, b)`. Or
        `y_pred`: both stacked, `(batch, 2, features)`; `y_true` is then ignored (give `fit` zeros).
        Unreduced: `(batch,)`, the sample's own first term plus the batch's other two.

    Behaviour:
        Gradients reach both views. Variances and covariances have `batch - 1` below; of a batch of
        one they are 0. Computed in float32 at least. Memory is `O(features²)`. Under data
        parallelism the statistics are those of all replicas together.

    Example:
        Both features have variance 2 and so lose nothing, but covariance 2 with each other, in both
        views: (2² + 2²) / 2 twice. The views agree:

        >>> loss = VICReg()
        >>> a = ops.convert_to_tensor([[1.0, 1.0], [-1.0, -1.0]])
        >>> round(float(loss(a, a)), 4)
        8.0
    """

    def __init__(
        self,
        invariance_weight: float = 25.0,
        variance_weight: float = 25.0,
        covariance_weight: float = 1.0,
        gamma: float = 1.0,
        epsilon: float = 1e-4,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.invariance_weight = checks.number(
            self, "invariance_weight", invariance_weight, "[0, inf)"
        )
        self.variance_weight = checks.number(self, "variance_weight", variance_weight, "[0, inf)")
        self.covariance_weight = checks.number(
            self, "covariance_weight", covariance_weight, "[0, inf)"
        )
        self.gamma = checks.number(self, "gamma", gamma, "(0, inf)")
        self.epsilon = checks.number(self, "epsilon", epsilon, "(0, inf)")

    def compare(self, a: Tensor, b: Tensor, anchors: int | None = None) -> tuple[Tensor, Tensor]:
        invariance = ops.mean((a[:anchors] - b[:anchors]) ** 2, axis=1)
        v_a, c_a = self._variance_and_covariance(a)
        v_b, c_b = self._variance_and_covariance(b)
        λ, μ, ν = self.invariance_weight, self.variance_weight, self.covariance_weight
        L = λ * invariance + μ * (v_a + v_b) / 2 + ν * (c_a + c_b)
        return L, ops.ones_like(L)

    def _variance_and_covariance(self, x):
        features = x.shape[1]
        x = x - ops.mean(x, axis=0)
        C = ops.matmul(ops.transpose(x), x) / ops.cast(ops.maximum(ops.shape(x)[0] - 1, 1), x.dtype)
        variances = ops.diagonal(C)
        v = ops.mean(ops.relu(self.gamma - ops.sqrt(variances + self.epsilon)))
        c = ops.sum((C * (1 - ops.eye(features, dtype=x.dtype))) ** 2) / features
        return v, c
