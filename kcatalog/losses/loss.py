"""The base of all losses."""

import keras
from keras import ops

from kcatalog import checks
from kcatalog.ops.masks import both, mask_of, with_mask
from kcatalog.ops.replicas import mean_of_batch, replica_context
from kcatalog.ops.samples import same_rank
from kcatalog.ops.targets import Targets, like, nan_of, numbers, same_shape
from kcatalog.types import Tensor


class _Reduction(keras.losses.Loss):
    """Keras's reduction of values that are there already."""

    def call(self, y_true, y_pred):
        return y_pred


class Loss(keras.losses.Loss):
    """Base of all losses: a part states `call`, the value of each sample, step or pixel.

    What Keras would do without a word is done by its meaning or refused: a weight of a sample
    weighs all its values; a mask takes values out; a NaN in predictions or targets is a NaN in
    value and gradient, though comparisons within `call` would hide it; targets that disagree with
    the predictions raise an error.
    """

    axis = -1  # of what belongs to one value, in the predictions
    compares_samples = False  # values depend on the other samples, those of other replicas too

    def __call__(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        with keras.name_scope(self.name):
            p = numbers(self, "y_pred", y_pred, self.dtype)
            if not len(p.shape):
                raise checks.error(self, "y_pred", "a batch (batch, ...)", tuple(p.shape))
            y = self.targets(y_true, p)
            mask = both(mask_of(y_pred), y.counts)
            if mask is not None:
                p = with_mask(p, mask)
            if tuple(p.shape[:1]) == (0,) and replica_context() is None:
                return ops.zeros((0,)) if self.reduction in (None, "none") else ops.sum(p)
            values, mask, sample_weight = self.evaluate(y.values, p, mask, sample_weight)
            mask = both(mask, mask_of(values))
            values = values + self.faults(y, p, values)
            return self._reduced(values, mask, sample_weight)

    def targets(self, y_true: Tensor, y_pred: Tensor) -> Targets:
        """Return the `Targets` that `call` is given, or raise where they disagree with `y_pred`.

        These are one number for each prediction; losses of anything else say how they read it.
        """
        y = numbers(self, "y_true", y_true, self.dtype)
        same_shape(self, y, y_pred.shape)
        return Targets(same_rank(y, y_pred), faults=y)

    def evaluate(
        self, y_true: Tensor, y_pred: Tensor, mask: Tensor, sample_weight: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return one value a sample, step or pixel, and what is left of mask and weights for them.

        The mask of `y_pred` is `mask`, for losses whose values depend on each other.
        """
        return self.call(y_true, y_pred), mask, sample_weight

    def faults(self, targets: Tensor, y_pred: Tensor, values: Tensor) -> Tensor:
        """Return 0 for each of the values, NaN where it must be NaN."""
        found = nan_of(y_pred, values, self.axis)
        return (
            found if targets.faults is None else found + nan_of(targets.faults, values, self.axis)
        )

    def _reduced(self, values, mask, sample_weight):
        reduction = _Reduction(self.name, self.reduction, self.dtype)
        if sample_weight is not None:
            sample_weight = ops.convert_to_tensor(sample_weight, dtype=self.dtype)
            sample_weight = like(self, "sample_weight", sample_weight, values)
        if mask is not None:
            while len(mask.shape) > len(values.shape):
                mask = ops.any(mask, axis=-1)
            mask = like(self, "mask", mask, values)
            values = with_mask(ops.where(mask, values, 0.0), mask)  # a masked NaN is nothing
        reduced = reduction(values, values, sample_weight)
        if not self.compares_samples or self.reduction in (None, "none", "sum"):
            return reduced
        counts = ops.ones_like(values) if mask is None else ops.cast(mask, values.dtype)
        if self.reduction == "mean_with_sample_weight" and sample_weight is not None:
            counts = counts * sample_weight
        return mean_of_batch(reduced, ops.sum(counts))
