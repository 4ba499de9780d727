from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.ops.boxes import FORMATS, low_and_high, overlap
from kcatalog.ops.precision import at_least_float32
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "Rich feature hierarchies for accurate object detection and semantic segmentation",
        "Girshick, Donahue, Darrell, Malik",
        2014,
        "https://arxiv.org/abs/1311.2524",
        "section 2.2",
    ),
    equation="take boxes by falling score; drop those with IoU > threshold to a taken one",
    space={"iou_threshold": Float(0.3, 0.7), "score_threshold": Float(0.0, 0.5)},
    example=Example({"score_threshold": -1.0, "max_detections": 4}, shape=((5, 4), (5, 3))),
)
class NonMaxSuppression(keras.layers.Layer):
    """Non-maximum suppression: the best boxes of an image, without those that repeat a better one.

    The last layer of an object detector, at inference: detectors predict every object several
    times. Class by class, so a box never drops one of another class. Exact and greedy, in
    `max_detections` rounds of static shape.

    Maths:
        Of all boxes and classes with `score > score_threshold`, take the highest score, drop the
        boxes with `IoU > iou_threshold` to it from its class, and repeat.

    Args:
        iou_threshold: Overlap above which a box is dropped, a number in [0, 1].
        score_threshold: A box is kept if its score is above this, a number in (-inf, inf).
        max_detections: How many boxes to return for each image, an integer in [1, inf).
        bounding_box_format: "xyxy" (left, top, right, bottom), "yxyx", "xywh" (left, top, width,
            height), "center_xywh" or "center_yxhw", as in `keras.utils.bounding_boxes`.

    Shapes:
        Input `boxes`, `(batch, boxes, 4)`, and `scores`, `(batch, boxes, classes)`. Output: a
        dictionary of `boxes` `(batch, max_detections, 4)`, `scores` and `classes`, both
        `(batch, max_detections)`, by falling score, and `num_detections`, `(batch,)`. Behind
        the last detection boxes and scores are 0 and classes -1.

    Behaviour:
        Training and inference are the same. Deterministic: of equal scores the first box counts. A
        score that is NaN is never taken. Overlaps are computed in float32 or wider. The gradient
        reaches the boxes and scores that are returned; which they are is a constant.

    Example:
        The second box repeats the first:

        >>> boxes = [[[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.9], [3.0, 3.0, 4.0, 4.0]]]
        >>> found = NonMaxSuppression(max_detections=3)(
        ...     keras.ops.array(boxes), keras.ops.array([[[0.9], [0.8], [0.7]]])
        ... )
        >>> print(keras.ops.convert_to_numpy(found["scores"]).round(1))
        [[0.9 0.7 0. ]]
    """

    def __init__(
        self,
        iou_threshold: float = 0.5,
        score_threshold: float = 0.05,
        max_detections: int = 100,
        bounding_box_format: str = "xyxy",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.iou_threshold = checks.number(self, "iou_threshold", iou_threshold, "[0, 1]")
        self.score_threshold = checks.number(
            self, "score_threshold", score_threshold, "(-inf, inf)"
        )
        self.max_detections = checks.integer(self, "max_detections", max_detections, "[1, inf)")
        self.bounding_box_format = checks.choice(
            self, "bounding_box_format", bounding_box_format, FORMATS
        )

    def build(self, boxes_shape: Shape, scores_shape: Shape) -> None:
        self._check_shapes(boxes_shape, scores_shape)

    def _check_shapes(self, boxes_shape, scores_shape):
        checks.rank(self, boxes_shape, 3, "(batch, boxes, 4)")
        checks.rank(self, scores_shape, 3, "(batch, boxes, classes)")
        checks.known_axis(self, scores_shape, -1, "classes")
        numbers = {n for n in (boxes_shape[1], scores_shape[1]) if n is not None}
        if boxes_shape[-1] != 4 or len(numbers) > 1:
            rule = (
                "boxes (batch, boxes, 4) and scores (batch, boxes, classes) of equally many boxes"
            )
            raise checks.error(self, "input_shape", rule, (boxes_shape, scores_shape))

    def call(self, boxes: Tensor, scores: Tensor) -> Tensor:
        self._check_shapes(boxes.shape, scores.shape)
        classes = scores.shape[-1]
        low, high = low_and_high(at_least_float32(boxes), self.bounding_box_format)
        batch, candidates = ops.shape(scores)[0], ops.shape(scores)[1] * classes
        flat = ops.reshape(scores, (batch, candidates))
        eligible = flat > self.score_threshold  # not where the score is NaN
        remaining = ops.stop_gradient(ops.where(eligible, at_least_float32(flat), -float("inf")))
        low, high = ops.stop_gradient(low), ops.stop_gradient(high)
        places = ops.arange(candidates, dtype="int32")
        box_of, class_of = places // classes, places % classes

        rounds = ops.arange(self.max_detections, dtype="int32")

        def take(i, state):
            remaining, taken = state
            best = ops.cast(ops.argmax(remaining, axis=1, keepdims=True), "int32")
            valid = ops.take_along_axis(remaining, best, axis=1) > -float("inf")
            iou, _, _ = overlap([_pick(c, best // classes) for c in (low, high)], (low, high))
            repeats = ops.take(iou, box_of, axis=1) > self.iou_threshold
            drop = (repeats & (class_of == best % classes)) | (places == best)
            taken = ops.where((rounds == i) & valid, best, taken)
            return ops.where(drop, -float("inf"), remaining), taken

        nothing = ops.broadcast_to(ops.full((), -1, "int32"), (batch, self.max_detections))
        _, taken = ops.fori_loop(0, self.max_detections, take, (remaining, nothing))
        valid, taken = taken >= 0, ops.maximum(taken, 0)
        kept_boxes = _pick(boxes, taken // classes)
        return {
            "boxes": ops.where(valid[:, :, None], kept_boxes, 0),
            "scores": ops.where(valid, ops.take_along_axis(flat, taken, axis=1), 0),
            "classes": ops.where(valid, ops.cast(taken % classes, "int32"), -1),
            "num_detections": ops.sum(ops.cast(valid, "int32"), axis=1),
        }

    def compute_output_shape(self, boxes_shape: Shape, scores_shape: Shape) -> Shape:
        batch, n = boxes_shape[0], self.max_detections
        return {
            "boxes": (batch, n, 4),
            "scores": (batch, n),
            "classes": (batch, n),
            "num_detections": (batch,),
        }

    def compute_output_spec(self, boxes: Tensor, scores: Tensor, **options: Any) -> Any:
        self._check_shapes(boxes.shape, scores.shape)
        dtypes = {"boxes": boxes.dtype, "scores": scores.dtype}
        shapes = self.compute_output_shape(boxes.shape, scores.shape)
        return {n: keras.KerasTensor(s, dtypes.get(n, "int32")) for n, s in shapes.items()}


def _pick(x, indices):
    """Return the rows of `x` (batch, rows, features) at `indices` (batch, picks)."""
    return ops.take_along_axis(x, indices[:, :, None], axis=1)
