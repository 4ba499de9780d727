from typing import Any

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.losses.categorical_loss import CategoricalLoss
from kcatalog.ops.labels import signs
from kcatalog.ops.lovasz import lovasz_jaccard
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.samples import flat_samples
from kcatalog.ops.segmentation import pixel_weights
from kcatalog.ops.targets import Targets, two_classes
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "The Lovász-Softmax Loss: A Tractable Surrogate for the Optimization of the "
        "Intersection-Over-Union Measure in Neural Networks",
        "Berman, Triki, Blaschko",
        2018,
        "https://arxiv.org/abs/1705.08790",
        "foreground-background segmentation, algorithm 1",
    ),
    equation="l = Δ_J extended to the errors max(0, 1 - y s)",
    space={"per_image": Choice(True, False)},
    example=Example({"name": "iou"}, shape=(3, 4), targets="binary"),
)
class LovaszHinge(CategoricalLoss):
    """Lovász hinge loss: a convex stand-in for 1 - IoU of a mask.

    Cross-entropy counts every pixel alike, so a small object hardly matters; this follows the index
    masks are judged by. It gives scores without probabilities and starts slowly: train with
    cross-entropy first, or add the two. An image without foreground costs what its worst
    pixel costs. For several classes there is `LovaszSoftmax`.

    Maths:
        `l = sum over k of max(0, e_k) (Δ(M_k) - Δ(M_k-1))`, with the errors `e = 1 - y s` sorted
        from the largest on, `M_k` the first k pixels, `Δ(M) = |M| / |G ∪ M|` the Jaccard loss of
        getting `M` wrong, `G` the foreground, `s` = `y_pred` and `y` = `y_true` as -1/+1.

    Args:
        per_image: True takes the index of each image, False that of the whole batch as if it
            were one image; a sample's value is then its share of that.

    Shapes:
        `y_true`: masks 0/1 or -1/+1, as `y_pred`; a last axis of 1 may be left out.
        `y_pred`: logits `(batch, ...)`, all axes but the first are pixels. Unreduced: `(batch,)`.
        `sample_weight`: `(batch,)`, or one for each pixel, `(batch, ...)`.

    Behaviour:
        Half precision is computed in float32. One sort of the pixels, which is its floor; slopes
        are exact, where differences of neighbouring indices lose digits in large images.

    Example:
        One foreground pixel of four, missed by an error of 2, which costs the whole index; then a
        background pixel with error 1.5 costs 1.5 times the half that it adds to the union:

        >>> from keras import ops
        >>> loss, tensor = LovaszHinge(), ops.convert_to_tensor
        >>> float(loss(tensor([[1, 0, 0, 0]]), tensor([[-1.0, -2.0, -2.0, -2.0]])))
        2.0
        >>> float(loss(tensor([[1, 0, 0, 0]]), tensor([[3.0, 0.5, -2.0, -2.0]])))
        0.75
    """

    def __init__(self, per_image: bool = True, ignore_class: int | None = None, **kwargs: Any):
        super().__init__(ignore_class, **kwargs)
        self.per_image = checks.boolean(self, "per_image", per_image)

    def targets(self, y_true: Tensor, y_pred: Tensor) -> Targets:
        return two_classes(self, y_true, y_pred, self.ignore_class)

    def evaluate(
        self, y_true: Tensor, y_pred: Tensor, mask: Tensor, sample_weight: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        w, sample_weight = pixel_weights(self, y_pred, mask, sample_weight)
        return self._values(y_true, y_pred, w), mask, sample_weight

    def _values(self, y_true, y_pred, w):
        s = at_least_float32(y_pred)
        y = flat_samples(signs(y_true, s))[..., None]
        e = 1 - y * flat_samples(s)[..., None]
        truth = (y + 1) / 2
        return lovasz_jaccard(e, truth, self.per_image, w)[:, 0]
