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
        "equation 7",
    ),
    example=Example(
        {"bounding_box_format": "xywh"}, shape=(4,), targets="boxes", predictions="boxes"
    ),
)
class DIoU(BoxLoss):
    """Distance IoU loss of boxes, between 0 (equal) and 2 (far apart).

    1 - IoU plus the squared distance of the centres. It has a direction to go where the boxes do
    not overlap, as `GIoU` has, and also where one lies inside the other, where `GIoU` has none;
    it converges in fewer steps. `CIoU` also looks at the aspect ratio.

    Maths:
        `l = 1 - IoU + ρ² / c²`, with `IoU` that of `y_true` and `y_pred`, `ρ` the distance of their
        centres, and `c` the diagonal of the smallest box around both.

    Example:
        Unit squares two apart; the box around them is 3 by 1, so 4 of 10 is added to 1:

        >>> from keras import ops
        >>> loss, tensor = DIoU(), ops.convert_to_tensor
        >>> y_true, y_pred = tensor([[0.0, 0.0, 1.0, 1.0]]), tensor([[2.0, 0.0, 3.0, 1.0]])
        >>> round(float(loss(y_true, y_pred)), 4)
        1.4
    """

    def between(self, a: Tensor, b: Tensor) -> Tensor:
        return 1 - boxes.diou(a, b)
