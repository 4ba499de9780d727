from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.losses.categorical_loss import CategoricalLoss
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.probabilities import crossentropy, log_probabilities
from kcatalog.ops.targets import Targets
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "AugMix: A Simple Data Processing Method to Improve Robustness and Uncertainty",
        "Hendrycks, Mu, Cubuk, Zoph, Gilmer, Lakshminarayanan",
        2019,
        "https://arxiv.org/abs/1912.02781",
        "section 3, Jensen-Shannon divergence consistency loss",
    ),
    tags=("integer-labels", "one-hot-labels"),
    space={"alpha": Float(1.0, 24.0, log=True), "label_smoothing": Choice(0.0, 0.1)},
    example=Example({"alpha": 5.0, "from_logits": True}, shape=(3, 5), targets="labels"),
)
class JensenShannonConsistency(CategoricalLoss):
    """Cross-entropy of the clean view plus the Jensen-Shannon divergence of all views.

    For training with strong augmentation (AugMix and the like): several views of a sample, the
    first one clean, pass the model, and views that are answered differently cost. It makes
    models robust to corruption and better calibrated, at the price of as many forward passes as
    views. Where augmentation may change the class, take plain cross-entropy of each view.
    To get the views side by side, let the model take `(batch, views, ...)`: reshape to
    `(batch * views, ...)`, apply the network, reshape back.

    Maths:
        `l = H(q, p_1) + λ/V Σ_v KL(p_v ‖ M)` with `M = 1/V Σ_v p_v`; `p_v` = the probabilities of
        view `v` of `V` (`y_pred`), `H` = cross-entropy with the targets `q` (`y_true`), smoothed
        by `label_smoothing`, and `λ` = `alpha`. The paper takes `V = 3` and `λ = 12`.

    Args:
        alpha: `λ`, the weight of consistency, a number in [0, inf).
        from_logits: True where `y_pred` holds logits; more exact than probabilities.
        label_smoothing: The part of the target spread over all classes, a number in [0, 1].

    Shapes:
        `y_true`: class indices `(batch, ...)` or `(batch, ..., 1)`, or one-hot
        `(batch, ..., classes)`; one target for all views of a sample.
        `y_pred`: `(batch, views, ..., classes)`, the clean view first. Unreduced: `(batch, ...)`.

    Behaviour:
        Each sample on its own. Half precision is computed in float32. `log M` is the logarithm of
        a sum of exponentials: unlike peers, which clip `M` from below, a hopeless class
        keeps its gradient. The divergence is at most `log V`, and 0 for a single view.

    Example:
        Both views are right with 3/4 and 1/4, `M` is 1/2: `-log 3/4` + (`log 2` - `H(3/4)`):

        >>> loss = JensenShannonConsistency(alpha=1.0)
        >>> y_true = ops.convert_to_tensor([0])
        >>> y_pred = ops.convert_to_tensor([[[0.75, 0.25], [0.25, 0.75]]])
        >>> round(float(loss(y_true, y_pred)), 4)
        0.4185
    """

    def __init__(
        self,
        alpha: float = 12.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        ignore_class: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(ignore_class, **kwargs)
        self.alpha = checks.number(self, "alpha", alpha, "[0, inf)")
        self.from_logits = checks.boolean(self, "from_logits", from_logits)
        self.label_smoothing = checks.number(self, "label_smoothing", label_smoothing, "[0, 1]")

    def scores(self, y_pred: Tensor) -> tuple[Any, int]:
        return (y_pred.shape[0], *y_pred.shape[2:]), -1

    def targets(self, y_true: Tensor, y_pred: Tensor) -> Targets:
        if len(y_pred.shape) < 3:
            rule = "of shape (batch, views, ..., classes)"
            fix = "Put the views of a sample side by side on axis 1, the clean one first."
            raise checks.error(self, "y_pred", rule, tuple(y_pred.shape), fix)
        return super().targets(y_true, y_pred)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        log_p = log_probabilities(at_least_float32(y_pred), self.from_logits)
        V = ops.cast(ops.shape(log_p)[1], log_p.dtype)
        log_M = ops.logsumexp(log_p, axis=1, keepdims=True) - ops.log(V)
        KL = ops.sum(ops.exp(log_p) * (log_p - log_M), axis=-1)
        H = crossentropy(y_true, log_p[:, 0], label_smoothing=self.label_smoothing)
        return H + self.alpha * ops.mean(KL, axis=1)
