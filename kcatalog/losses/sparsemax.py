from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.losses.categorical_loss import CategoricalLoss
from kcatalog.ops.labels import class_distribution
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.simplex import simplex_projection
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "From Softmax to Sparsemax: A Sparse Model of Attention and Multi-Label Classification",
        "Martins, Astudillo",
        2016,
        "https://arxiv.org/abs/1602.02068",
        "sections 3.2 and 3.4",
    ),
    tags=("integer-labels", "one-hot-labels", "logits"),
    space={"label_smoothing": Choice(0.0, 0.1)},
    example=Example({"label_smoothing": 0.1}, shape=(5,), targets="labels"),
)
class Sparsemax(CategoricalLoss):
    """Sparsemax loss: the counterpart of cross-entropy whose gradient is sparsemax(z) - q.

    For models that shall answer with few classes and rule the rest out; predict with
    `kcatalog.ops.sparsemax`. A sample whose right score leads by 1 has loss 0 and no gradient: a
    margin of 1, like a hinge's, with probabilities. The gradient is bounded, so hopeless samples
    pull no harder than wrong ones. Where every class must keep some probability, as for
    log-likelihood or perplexity, take cross-entropy.

    Maths:
        `l = ½ Σ over S of (z_j² - τ²) - q · z + ½ ‖q‖²`, with `z` = `y_pred`, `q` = `y_true` as a
        distribution, and `p = max(0, z - τ)` = sparsemax of `z`, whose support is `S`. Since
        `z_j = p_j + τ` on `S`, this is `Σ (p_j - q_j) (z_j - (p_j + q_j) / 2)`: computed so, it
        holds no difference of large squares and is exactly 0 where `p = q`.

    Args:
        label_smoothing: The part of the target spread over all classes, a number in [0, 1].

    Shapes:
        `y_true`: class indices `(batch, ...)` or `(batch, ..., 1)`, or distributions such as
        one-hot rows `(batch, ..., classes)`.
        `y_pred`: scores `(batch, ..., classes)`, not probabilities. Unreduced: `(batch, ...)`.

    Behaviour:
        Each sample on its own. Half precision is computed in float32. Costs one sort of the
        classes, which the gradient does not pass: it is `p - q` itself. Second derivatives are
        therefore zero. A score of -inf rules a class out.

    Example:
        The scores 0.5 and 1 have sparsemax 0.25 and 0.75; the third class is ruled out:

        >>> loss = Sparsemax()
        >>> y_true = ops.convert_to_tensor([0])
        >>> float(loss(y_true, ops.convert_to_tensor([[0.5, 1.0, -3.0]])))
        0.5625
    """

    def __init__(
        self, label_smoothing: float = 0.0, ignore_class: int | None = None, **kwargs: Any
    ):
        super().__init__(ignore_class, **kwargs)
        self.label_smoothing = checks.number(self, "label_smoothing", label_smoothing, "[0, 1]")

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        z = at_least_float32(y_pred)
        q = class_distribution(y_true, z, label_smoothing=self.label_smoothing)
        z = z - ops.stop_gradient(ops.max(z, axis=-1, keepdims=True))  # Σ (p - q) = 0
        p = ops.stop_gradient(simplex_projection(z))  # p minimizes l's dual: no gradient through it
        return ops.sum(ops.where(p == q, 0.0, (p - q) * (z - (p + q) / 2)), axis=-1)
