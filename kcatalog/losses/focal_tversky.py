from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.losses.mask_loss import MaskLoss
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "A Novel Focal Tversky Loss Function with Improved Attention U-Net for Lesion Segmentation",
        "Abraham, Khan",
        2018,
        "https://arxiv.org/abs/1810.07842",
        "Tversky index and focal Tversky loss",
    ),
    equation="l = mean over classes of (1 - TI_c)^(1/γ), TI = TP / (TP + α FN + β FP)",
    tags=("integer-labels", "one-hot-labels", "logits"),
    space={"alpha": Float(0.3, 0.9), "beta": Float(0.1, 0.7), "gamma": Float(1.0, 3.0)},
    example=Example(
        {"alpha": 0.6, "gamma": 2.0, "from_logits": True},
        shape=(2, 4, 5),
        targets="labels",
        target_shape=(2, 4),
    ),
)
class FocalTversky(MaskLoss):
    """Focal Tversky loss of the masks of an image.

    For lesions and other small objects, where a miss is worse than a false alarm: `alpha` above
    `beta` buys recall with precision. `gamma` above 1 keeps the gradient of classes that are nearly
    right from fading. On balanced masks `keras.losses.Dice` does the same with less to tune.

    Maths:
        `l = mean over c of (1 - TI_c)^(1/γ)`, `TI = (TP + ε) / (TP + α FN + β FP + ε)`, with
        `TP = Σ r p`, `FN = Σ r (1 - p)` and `FP = Σ (1 - r) p` over the pixels of an image, `r` the
        masks of `y_true`, `p` = `y_pred` or its softmax, `α` = `alpha`, `β` = `beta`,
        `γ` = `gamma`, `ε` = `epsilon`. Differs from the paper: the mean over classes, not their
        sum, and a straight line where `1 - TI` is below 1e-7, for the power's slope is infinite
        at 0.

    Args:
        alpha: `α`, the weight of missed pixels, a number in [0, inf). (Keras's `Tversky` gives it
            the same meaning, though its text says the opposite; pytorch_optimizer swaps it.)
        beta: `β`, the weight of invented pixels, a number in [0, inf).
        gamma: `γ`, a number in (0, inf). The exponent is its inverse; 1 is the Tversky loss. The
            paper's is 4/3, and so is the default.
        epsilon: `ε` in pixels, a number in (0, inf). With 1, as in the authors' code, an image
            without the class still learns to leave it out.

    Example:
        One pixel found, one missed, one invented: with ε, 2 / 3 is the index, and 1/3 is left:

        >>> loss, tensor = FocalTversky(gamma=1.0), ops.convert_to_tensor
        >>> y_true, y_pred = tensor([[[1], [1], [0]]]), tensor([[[1.0], [0.0], [1.0]]])
        >>> round(float(loss(y_true, y_pred)), 4)
        0.3333
    """

    def __init__(
        self,
        alpha: float = 0.7,
        beta: float = 0.3,
        gamma: float = 1.3333333333333333,
        epsilon: float = 1.0,
        from_logits: bool = False,
        axis: int = -1,
        ignore_class: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(from_logits, axis, ignore_class, **kwargs)
        self.alpha = checks.number(self, "alpha", alpha, "[0, inf)")
        self.beta = checks.number(self, "beta", beta, "[0, inf)")
        self.gamma = checks.number(self, "gamma", gamma, "(0, inf)")
        self.epsilon = checks.number(self, "epsilon", epsilon, "(0, inf)")

    def overlap(self, r: Tensor, p: Tensor, w: Tensor) -> Tensor:
        TP = ops.sum(w * r * p, axis=1)
        FN = ops.sum(w * r * (1 - p), axis=1)
        FP = ops.sum(w * (1 - r) * p, axis=1)
        missing = self.alpha * FN + self.beta * FP
        x = missing / (TP + missing + self.epsilon)  # 1 - TI, without cancellation
        return ops.mean(x * ops.maximum(x, 1e-7) ** (1 / self.gamma - 1), axis=-1)
