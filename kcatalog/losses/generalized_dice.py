from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.losses.mask_loss import MaskLoss
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Generalised Dice Overlap as a Deep Learning Loss Function for Highly Unbalanced "
        "Segmentations",
        "Sudre, Li, Vercauteren, Ourselin, Cardoso",
        2017,
        "https://arxiv.org/abs/1707.03237",
        "generalised Dice loss (GDL)",
    ),
    equation="l = 1 - 2 Σ_c w_c Σ r p / Σ_c w_c Σ (r + p), w_c = 1 / (Σ r)²",
    tags=("integer-labels", "one-hot-labels", "logits"),
    space={"epsilon": Float(1e-6, 10.0, log=True)},
    example=Example(
        {"epsilon": 0.5, "from_logits": True},
        shape=(2, 4, 5),
        targets="labels",
        target_shape=(2, 4),
    ),
)
class GeneralizedDice(MaskLoss):
    """Generalized Dice loss of the masks of an image.

    For segmentation with classes of very different size. The mean of Dice over classes follows each
    class's own index, which leaps about for tiny ones; here all share one fraction. The rarest
    class of an image weighs most, so wrong labels there do the most harm.

    Maths:
        `l = 1 - (2 Σ_c w_c Σ r p + ε) / (Σ_c w_c Σ (r + p) + ε)` over the pixels of an image, with
        `w_c = 1 / (Σ r)²`, `r` the masks of `y_true`, `p` = `y_pred` or its softmax, and
        `ε` = `epsilon`. Differs from the paper: weights are divided by the largest, which alters
        nothing but the unit of `ε`; a class absent from the image has no finite weight and gets
        that of the rarest class present.

    Args:
        epsilon: `ε` in pixels of the rarest class, a number in (0, inf).

    Behaviour:
        Each image on its own: weights are counted in it, where optax's
        `multiclass_generalized_dice_loss` counts them in the batch. Half precision is computed in
        float32. Masks may overlap where `y_pred` holds probabilities.

    Example:
        Class 1 has one pixel of three and weighs 4 times class 0, which loses a pixel to it:

        >>> loss, tensor = GeneralizedDice(epsilon=1e-9), ops.convert_to_tensor
        >>> y_pred = tensor([[[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]])
        >>> round(float(loss(tensor([[0, 0, 1]]), y_pred)), 4)  # 1 - 2 (1 + 4) / (3 + 12)
        0.3333
    """

    def __init__(
        self,
        epsilon: float = 1.0,
        from_logits: bool = False,
        axis: int = -1,
        ignore_class: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(from_logits, axis, ignore_class, **kwargs)
        self.epsilon = checks.number(self, "epsilon", epsilon, "(0, inf)")

    def overlap(self, r: Tensor, p: Tensor, w: Tensor) -> Tensor:
        v = _weights(ops.sum(w * r, axis=1))
        wrong = ops.sum(v * ops.sum(w * (r * (1 - p) + p * (1 - r)), axis=1), axis=-1)
        total = ops.sum(v * ops.sum(w * (r + p), axis=1), axis=-1)
        return wrong / (total + self.epsilon)  # r + p - 2 r p is what is wrong


def _weights(size):
    """`1 / size²` over its largest finite value; 1 where a class is absent."""
    present = size > 0
    rarest = ops.min(ops.where(present, size, float("inf")), axis=-1, keepdims=True)
    return ops.where(present, (rarest / ops.where(present, size, 1.0)) ** 2, 1.0)
