"""The base of losses that compare the masks of images."""

from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.losses.categorical_loss import CategoricalLoss
from kcatalog.ops.segmentation import masks_and_probabilities, pixel_weights
from kcatalog.ops.targets import Targets, between_0_and_1, numbers, same_shape, without_axis
from kcatalog.types import Tensor


class MaskLoss(CategoricalLoss):
    """Base of losses of masks: a part states `overlap(r, p, w)`.

    Args:
        from_logits: True where `y_pred` holds logits. A single class is a sigmoid's.
        axis: The axis of classes, an integer in (-inf, inf). (`keras.losses.Dice` and `Tversky`
            call the axes that are summed so, and pool the classes unless told not to.)

    Shapes:
        `y_true`: class indices `(batch, ...)` or `(batch, ..., 1)`, or masks as `y_pred`. With a
        single class its mask, 0/1.
        `y_pred`: `(batch, ..., classes)`, the axes between are pixels. Unreduced: `(batch,)`.
        `sample_weight`: `(batch,)`, or one for each pixel, `(batch, ...)`.

    Behaviour:
        Each image on its own. A pixel of weight `w` counts as `w` pixels, one that is ignored or
        masked as none; an image without any that counts is left out of the mean. Half precision
        is computed in float32. Masks may overlap where `y_pred` holds probabilities; values
        outside [0, 1] raise an error, or give NaN where the step is compiled.
    """

    def __init__(
        self,
        from_logits: bool = False,
        axis: int = -1,
        ignore_class: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(ignore_class, **kwargs)
        self.from_logits = checks.boolean(self, "from_logits", from_logits)
        self.axis = checks.integer(self, "axis", axis, "(-inf, inf)")

    def overlap(self, r: Tensor, p: Tensor, w: Tensor) -> Tensor:
        """Return each image's loss, from masks and probabilities `(batch, pixels, classes)`.

        The weights of pixels are `(batch, pixels, 1)`.
        """
        raise NotImplementedError

    def targets(self, y_true: Tensor, y_pred: Tensor) -> Targets:
        if y_pred.shape[self.axis] != 1:
            targets = super().targets(y_true, y_pred)
            if len(targets.values.shape) < len(y_pred.shape):
                return targets
            return targets._replace(faults=between_0_and_1(self, targets.values))
        y = without_axis(numbers(self, "y_true", y_true), y_pred.shape, self.axis)
        same_shape(self, y, ops.squeeze(y_pred, self.axis).shape)
        counts = None if self.ignore_class is None else y != self.ignore_class
        y = y if counts is None else ops.where(counts, y, 0)
        return Targets(y, counts, between_0_and_1(self, y))

    def evaluate(
        self, y_true: Tensor, y_pred: Tensor, mask: Tensor, sample_weight: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        r, p = masks_and_probabilities(y_true, y_pred, self.from_logits, self.axis)
        pixels = ops.take(y_pred, 0, axis=self.axis)
        w, sample_weight = pixel_weights(self, pixels, mask, sample_weight)
        return self.overlap(r, p, w), mask, sample_weight
