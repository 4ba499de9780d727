from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.losses.two_view_loss import TwoViewLoss
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Barlow Twins: Self-Supervised Learning via Redundancy Reduction",
        "Zbontar, Jing, Misra, LeCun, Deny",
        2021,
        "https://arxiv.org/abs/2103.03230",
        "equation 1",
    ),
    tags=("in-batch",),
    space={"redundancy_weight": Float(1e-4, 0.1, log=True)},
    example=Example({"redundancy_weight": 0.1, "epsilon": 1e-3}, shape=(2, 5)),
)
class BarlowTwins(TwoViewLoss):
    """Redundancy reduction: the correlation of two views should be the identity.

    Self-supervision without negatives, momentum or stopped gradients. It wants wide embeddings
    (8192 features in the paper, from a projector that is thrown away later) more than large
    batches. `VICReg` asks the same of covariances of each view by itself.

    Maths:
        `L = Σ_i (1 - C_ii)² + λ Σ over i ≠ j of C_ij²`, with `C_ij` the correlation over the batch
        of feature `i` of one view with feature `j` of the other, and `λ` = `redundancy_weight`.
        Features are divided by `√(variance + ε)`, `ε` = `epsilon`; the paper's text has no `ε`, its
        code has this one.

    Args:
        redundancy_weight: `λ`, a number in [0, inf).
        epsilon: `ε`, a number in (0, inf).

    Shapes:
        `y_true` and `y_pred`: the two views, `(batch, features)` each, `loss(a, b)`. Or
        `y_pred`: both stacked, `(batch, 2, features)`; `y_true` is then ignored (give `fit` zeros).
        Unreduced: `(batch,)`, the loss of the batch for each sample.

    Behaviour:
        Gradients reach both views. A feature that is constant has correlation 0 with everything: it
        costs 1, and has no gradient, as all have in a batch of one. Computed in float32 at least.
        Memory is `O(features²)`. Under data parallelism the correlation is over all replicas
        together.

    Example:
        Feature 0 is the same in both views, feature 1 has changed its sign: (1 + 1)² = 4. They are
        uncorrelated with each other:

        >>> loss = BarlowTwins()
        >>> a = ops.convert_to_tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
        >>> round(float(loss(a, a * ops.convert_to_tensor([1.0, -1.0]))), 3)
        4.0
    """

    def __init__(self, redundancy_weight: float = 5e-3, epsilon: float = 1e-5, **kwargs: Any):
        super().__init__(**kwargs)
        self.redundancy_weight = checks.number(
            self, "redundancy_weight", redundancy_weight, "[0, inf)"
        )
        self.epsilon = checks.number(self, "epsilon", epsilon, "(0, inf)")

    def compare(self, a: Tensor, b: Tensor, anchors: int | None = None) -> tuple[Tensor, Tensor]:
        features = a.shape[1]
        batch = ops.cast(ops.shape(a)[0], a.dtype)
        C = ops.matmul(ops.transpose(self._standardized(a)), self._standardized(b)) / batch
        same = ops.eye(features, dtype=C.dtype)
        on, off = ops.sum((same - C) ** 2 * same), ops.sum(C**2 * (1 - same))
        L = (on + self.redundancy_weight * off) * ops.ones_like(a[:anchors, 0])
        return L, ops.ones_like(L)

    def _standardized(self, x):
        x = x - ops.mean(x, axis=0)
        return x * ops.rsqrt(ops.mean(x**2, axis=0) + self.epsilon)
