from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.losses.mask_loss import MaskLoss
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Optimizing Intersection-Over-Union in Deep Neural Networks for Image Segmentation",
        "Rahman, Wang",
        2016,
        "https://doi.org/10.1007/978-3-319-50835-1_22",
        "approximation of IoU and its loss",
    ),
    tags=("integer-labels", "one-hot-labels", "logits"),
    space={"epsilon": Float(1e-6, 10.0, log=True)},
    example=Example(
        {"epsilon": 0.5, "from_logits": True},
        shape=(2, 4, 5),
        targets="labels",
        target_shape=(2, 4),
    ),
)
class Jaccard(MaskLoss):
    """Soft Jaccard loss: 1 - intersection over union of each class in each image.

    For segmentation where objects are small against the background. Ranks as
    `keras.losses.Dice` does, but charges errors more where overlap is good. Its gradient is
    weak where a class is all but missed: add cross-entropy at the start. `LovaszSoftmax` is closer
    to the index of the rounded masks, and dearer.

    Maths:
        `l = mean over c of 1 - (I_c + ε) / (U_c + ε)`, with `I_c = Σ r p` and
        `U_c = Σ (r + p - r p)` over the pixels of an image, `r` the masks of `y_true`,
        `p` = `y_pred` or its softmax, `ε` = `epsilon`. Differs from the paper: several classes,
        and `ε`.

    Args:
        epsilon: `ε` in pixels, a number in (0, inf). With 1 an image without the class still learns
            to leave it out; near 0 any trace of it costs 1 there, without a gradient.

    Example:
        One pixel of two is found, so the union is 2 and, with ε, 2 of 3 are right:

        >>> loss, tensor = Jaccard(), ops.convert_to_tensor
        >>> y_true, y_pred = tensor([[[1.0], [1.0], [0.0]]]), tensor([[[1.0], [0.0], [0.0]]])
        >>> round(float(loss(y_true, y_pred)), 4)
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
        wrong = ops.sum(w * (r * (1 - p) + p * (1 - r)), axis=1)  # U - I, without cancellation
        union = ops.sum(w * (r + p * (1 - r)), axis=1)
        return ops.mean(wrong / (union + self.epsilon), axis=-1)
