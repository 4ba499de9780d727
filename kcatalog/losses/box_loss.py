"""The base of losses that compare two boxes."""

from typing import Any

from kcatalog import checks
from kcatalog.losses.loss import Loss
from kcatalog.ops import boxes
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.targets import Targets, numbers
from kcatalog.types import Tensor


class BoxLoss(Loss):
    """Base of losses of boxes: a part states `between(a, b)`.

    Args:
        bounding_box_format: "xyxy" (left, top, right, bottom), "yxyx", "xywh" (left, top, width,
            height), "center_xywh" or "center_yxhw", as in `keras.utils.bounding_boxes`.

    Shapes:
        `y_true`, `y_pred`: boxes `(batch, ..., 4)`, pairs that belong together. Unreduced:
        `(batch, ...)`, one value a box.

    Behaviour:
        Each pair on its own. Half precision is computed in float32. A box without area, or with its
        corners swapped, has IoU 0, and values and gradients stay finite.
    """

    def __init__(self, bounding_box_format: str = "xyxy", **kwargs: Any):
        super().__init__(**kwargs)
        self.bounding_box_format = checks.choice(
            self, "bounding_box_format", bounding_box_format, boxes.FORMATS
        )

    def between(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the loss of boxes that are given by their corners, `y_true` and `y_pred`."""
        raise NotImplementedError

    def targets(self, y_true: Tensor, y_pred: Tensor) -> Targets:
        y = numbers(self, "y_true", y_true, self.dtype)
        boxes.same_boxes(self, y, y_pred)
        return Targets(y, faults=y)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        pair = at_least_float32(y_true), at_least_float32(y_pred)
        return self.between(*(boxes.low_and_high(b, self.bounding_box_format) for b in pair))
