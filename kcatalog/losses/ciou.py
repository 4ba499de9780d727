from kcatalog.card import Example, Paper
from kcatalog.losses.box_loss import BoxLoss
from kcatalog.ops import boxes
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Distance-IoU Loss: Faster and Better Learning for Bounding Box Regression",
        "Zheng, Wang, Liu, Li, Ye, Ren",
        2020,
        "https://arxiv.org/abs/1911.08287",
        "equations 8 to 11",
    ),
    example=Example(
        {"bounding_box_format": "xywh"}, shape=(4,), targets="boxes", predictions="boxes"
    ),
    exemptions={
        "gradient_exact": "the paper holds α constant: this is not the gradient of the value"
    },
)
class CIoU(BoxLoss):
    """Complete IoU loss of boxes: overlap, distance of the centres and aspect ratio.

    `DIoU` plus a term that makes the aspect ratios equal, which counts the more the better the
    boxes overlap. The usual choice for detectors. Where shapes mean nothing, `DIoU` is simpler.

    Maths:
        `l = 1 - IoU + ρ² / c² + α v`, with `v = 4 / π² (arctan(w / h) - arctan(w' / h'))²` of the
        widths and heights of `y_true` and `y_pred`, `α = v / (1 - IoU + v)`, and the rest as in
        `DIoU`. `α` is a weight, which training must not lower by itself: the gradient takes
        it for a constant, as the paper's does. (Keras's `compute_ciou` lets it flow.)
        Differs from the paper: its gradient of `v` leaves out the factor `1 / (w² + h²)` to keep
        small boxes from large steps; here it is the true one, whatever the unit of the coordinates.

    Example:
        Same centre, 2 by 1 against 1 by 2, IoU 1/3; the angles are 0.6435 apart:

        >>> from keras import ops
        >>> loss, tensor = CIoU(), ops.convert_to_tensor
        >>> y_true, y_pred = tensor([[0.0, 0.5, 2.0, 1.5]]), tensor([[0.5, 0.0, 1.5, 2.0]])
        >>> round(float(loss(y_true, y_pred)), 4)
        0.7004
    """

    def between(self, a: Tensor, b: Tensor) -> Tensor:
        return 1 - boxes.ciou(a, b)
