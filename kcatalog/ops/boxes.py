"""Overlap and distance of boxes."""

import math

from keras import ops

from kcatalog import checks
from kcatalog.ops.targets import same_shape
from kcatalog.types import Tensor

FORMATS = ("xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw")
_NOTHING = 1e-18  # lengths and areas below it count as 0: their squares would underflow


def low_and_high(boxes: Tensor, bounding_box_format: str = "xyxy") -> tuple[Tensor, Tensor]:
    """Return the two opposite corners `(..., 2)` of boxes `(..., 4)` in one of Keras's formats.

    Which of the two coordinates is x is left open: nothing here depends on it.

    >>> low, high = low_and_high(ops.convert_to_tensor([1.0, 2.0, 3.0, 5.0]), "xywh")
    >>> [float(v) for v in high]
    [4.0, 7.0]
    """
    first, second = boxes[..., :2], boxes[..., 2:]
    if bounding_box_format in ("xyxy", "yxyx"):
        return first, second
    low = first if bounding_box_format == "xywh" else first - second / 2
    return low, low + second


def same_boxes(owner: object, y_true: Tensor, y_pred: Tensor) -> None:
    """Raise unless both hold equally many boxes; `owner` is named in the error."""
    for name, boxes in (("y_pred", y_pred), ("y_true", y_true)):
        if boxes.shape[-1:] != (4,):
            fix = "Put the four numbers of a box on the last axis."
            raise checks.error(owner, name, "boxes (batch, ..., 4)", tuple(boxes.shape), fix)
    same_shape(owner, y_true, y_pred.shape)


def overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """IoU, area of the union and sides of the smallest box around both, for pairs of corners."""
    (a_low, a_high), (b_low, b_high) = a, b
    both = _area(ops.minimum(a_high, b_high) - ops.maximum(a_low, b_low))
    union = _area(a_high - a_low) + _area(b_high - b_low) - both
    around = ops.relu(ops.maximum(a_high, b_high) - ops.minimum(a_low, b_low))
    return divide(both, union), union, around


def giou(a: Tensor, b: Tensor) -> Tensor:
    """Generalized IoU: less by the part of the box around both that neither covers."""
    iou, union, around = overlap(a, b)
    enclosing = _area(around)
    return iou - divide(enclosing - union, enclosing)


def diou(a: Tensor, b: Tensor) -> Tensor:
    """Distance IoU: less by the squared distance of the centres, in diagonals around both."""
    iou, _, around = overlap(a, b)
    between = (a[0] + a[1] - b[0] - b[1]) / 2
    return iou - divide(ops.sum(between**2, axis=-1), ops.sum(around**2, axis=-1))


def ciou(a: Tensor, b: Tensor) -> Tensor:
    """Complete IoU: distance IoU, less by how much the aspect ratios differ.

    The weight of the last term is a constant to the gradient.
    """
    iou, _, _ = overlap(a, b)
    v = (4 / math.pi**2) * (_angle(a) - _angle(b)) ** 2
    α = ops.stop_gradient(divide(v, 1 - iou + v))
    return diou(a, b) - α * v


def divide(a: Tensor, b: Tensor) -> Tensor:
    """Return `a / b`, and 0 with gradient 0 where `b` is 0."""
    return ops.where(b > _NOTHING, a / ops.where(b > _NOTHING, b, 1.0), 0.0)


def _area(sides):
    sides = ops.relu(sides)
    return sides[..., 0] * sides[..., 1]


def _angle(corners):
    """Return the arctangent of the ratio of the sides."""
    sides = ops.relu(corners[1] - corners[0])
    w, h = sides[..., 0], sides[..., 1]
    return ops.arctan2(w, ops.where(w + h > _NOTHING, h, 1.0))
