from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.losses.mask_loss import MaskLoss
from kcatalog.ops.lovasz import lovasz_jaccard
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "The Lovász-Softmax Loss: A Tractable Surrogate for the Optimization of the "
        "Intersection-Over-Union Measure in Neural Networks",
        "Berman, Triki, Blaschko",
        2018,
        "https://arxiv.org/abs/1705.08790",
        "multiclass semantic segmentation, algorithm 1",
    ),
    equation="l = mean over classes of Δ_J extended to the errors |r_c - p_c|",
    tags=("integer-labels", "one-hot-labels", "logits"),
    space={"classes": Choice("present", "all"), "per_image": Choice(True, False)},
    example=Example(
        {"classes": "all", "from_logits": True},
        shape=(2, 4, 5),
        targets="labels",
        target_shape=(2, 4),
    ),
)
class LovaszSoftmax(MaskLoss):
    """Lovász-Softmax loss: a stand-in for 1 - mean IoU over classes.

    Cross-entropy counts every pixel alike, so small classes hardly matter; this follows the index
    that segmentations are judged by. Use it to finish a model trained with cross-entropy, or
    add the two: alone it starts slowly. `Jaccard` is cheaper and less faithful.

    Maths:
        `l = mean over c of sum over k of e_k (Δ(M_k) - Δ(M_k-1))`, with the errors
        `e = |r_c - p_c|` of class `c` sorted from the largest on, `M_k` the first k pixels,
        `Δ(M) = |M| / |G ∪ M|` the Jaccard loss of getting `M` wrong, `G` the pixels of class `c`,
        `r` the masks of `y_true`, and `p` = `y_pred` or its softmax.

    Args:
        classes: "present" means over the classes that the image has, "all" over all; an absent
            class then costs its largest probability.
        per_image: True takes the index of each image, False that of the whole batch as if it
            were one image; a sample's value is then its share of that. Differs from the
            authors' code, whose default is False.

    Behaviour:
        Half precision is computed in float32. One sort of the pixels for each class, absent ones
        included, since shapes are static. With a single class and "present", images without
        it teach nothing; take "all" there.

    Example:
        Both pixels are of class 0, with errors 0.75 and 0.25; each costs half of the index:

        >>> loss, tensor = LovaszSoftmax(), ops.convert_to_tensor
        >>> y_pred = tensor([[[0.75, 0.25], [0.25, 0.75]]])
        >>> float(loss(tensor([[0, 0]]), y_pred))
        0.5
    """

    def __init__(
        self,
        classes: str = "present",
        per_image: bool = True,
        from_logits: bool = False,
        axis: int = -1,
        ignore_class: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(from_logits, axis, ignore_class, **kwargs)
        self.classes = checks.choice(self, "classes", classes, ("present", "all"))
        self.per_image = checks.boolean(self, "per_image", per_image)

    def overlap(self, r: Tensor, p: Tensor, w: Tensor) -> Tensor:
        each = lovasz_jaccard(ops.abs(r - p), r, self.per_image, w)
        if self.classes == "all":
            return ops.mean(each, axis=-1)
        present = ops.max(ops.where(w > 0, r, 0.0), axis=1)
        if not self.per_image:
            present = ops.max(present, axis=0, keepdims=True)
        return ops.sum(present * each, axis=-1) / ops.maximum(ops.sum(present, axis=-1), 1.0)
