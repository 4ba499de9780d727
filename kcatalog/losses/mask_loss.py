"""The base of losses that compare the masks of images."""

import keras

from kcatalog import checks
from kcatalog.ops.segmentation import masks_and_probabilities


class MaskLoss(keras.losses.Loss):
    """Base of losses of masks: a part states `overlap(r, p)`.

    Args:
        from_logits: True where `y_pred` holds logits. A single class is a sigmoid's.
        axis: The axis of classes, an integer in (-inf, inf). (`keras.losses.Dice` and `Tversky`
            call the axes that are summed so, and pool the classes unless told not to.)

    Shapes:
        `y_true`: class indices `(batch, ...)` or `(batch, ..., 1)`, or masks as `y_pred`. With a
        single class its mask, 0/1.
        `y_pred`: `(batch, ..., classes)`, the axes between are pixels. Unreduced: `(batch,)`.

    Behaviour:
        Each image on its own. Half precision is computed in float32. Masks may overlap where
        `y_pred` holds probabilities.
    """

    def __init__(self, from_logits=False, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.from_logits = checks.boolean(self, "from_logits", from_logits)
        self.axis = checks.integer(self, "axis", axis, "(-inf, inf)")

    def overlap(self, r, p):
        """Return each image's loss, from masks and probabilities `(batch, pixels, classes)`."""
        raise NotImplementedError

    def call(self, y_true, y_pred):
        return self.overlap(*masks_and_probabilities(y_true, y_pred, self.from_logits, self.axis))
