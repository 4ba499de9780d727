from kcatalog.card import Example, Paper
from kcatalog.losses.box_loss import BoxLoss
from kcatalog.ops import boxes
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Generalized Intersection over Union: A Metric and a Loss for Bounding Box Regression",
        "Rezatofighi, Tsoi, Gwak, Sadeghian, Reid, Savarese",
        2019,
        "https://arxiv.org/abs/1902.09630",
        "algorithm 2",
    ),
    example=Example(
        {"bounding_box_format": "xywh"}, shape=(4,), targets="boxes", predictions="boxes"
    ),
)
class GIoU(BoxLoss):
    """Generalized IoU loss of boxes, between 0 (equal) and 2 (far apart).

    Where boxes do not overlap, 1 - IoU is 1 wherever they are and teaches nothing; the wasted
    area of the smallest box around both does. Training first grows the prediction until it touches,
    which takes many steps; `DIoU` moves its centre instead, also where one box is inside the other.

    Maths:
        `l = 1 - IoU + (C - U) / C`, with `I` and `U` the areas of intersection and union of
        `y_true` and `y_pred`, `IoU = I / U`, and `C` the area of the smallest box around both.

    Example:
        Unit squares with a gap of one between them; the box around them has area 3:

        >>> from keras import ops
        >>> loss, tensor = GIoU(), ops.convert_to_tensor
        >>> y_true, y_pred = tensor([[0.0, 0.0, 1.0, 1.0]]), tensor([[2.0, 0.0, 3.0, 1.0]])
        >>> round(float(loss(y_true, y_pred)), 4)
        1.3333
    """

    def between(self, a: Tensor, b: Tensor) -> Tensor:
        return 1 - boxes.giou(a, b)
