"""The base of losses that compare the samples of a batch with each other."""

from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.losses.loss import Loss
from kcatalog.ops.labels import labels_of
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.replicas import own_rows_first, sum_over_replicas
from kcatalog.ops.targets import Targets, nan_of
from kcatalog.types import Tensor


class InBatchLoss(Loss):
    """Base of losses in which each sample, the anchor, is compared with references.

    References are the whole batch, under data parallelism that of all replicas, and what
    `CrossBatchMemory` remembers. With gradient accumulation they are the micro-batch alone:
    accumulating 8 batches of 32 averages 8 losses of 32 samples, and gives no sample more
    negatives than 31. A part implements `compare`; where its samples are not labels and
    embeddings, also `samples`, and `targets` where `y_true` is not one label a sample.

    Anchor `a` contributes a sum `S_a` over `N_a` terms (pairs, triplets). The loss is
    `Σ S_a / Σ N_a` over the anchors of all replicas. Keras takes the mean over samples, so that
    `call` gives `S_a · anchors / Σ N_a`: `sample_weight` weights anchors, and no term gives 0. A
    NaN in any embedding makes all values NaN, since each is compared with it.
    """

    compares_samples = True

    def targets(self, y_true: Tensor, y_pred: Tensor) -> Targets:
        y = labels_of(self, "y_true", y_true, y_pred.shape[0])
        return Targets(y, faults=y if "float" in str(y.dtype) else None)

    def samples(self, y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, ...]:
        """Return the batch as a tuple of tensors with one row a sample: labels, embeddings."""
        if len(y_pred.shape) != 2:
            fix = "End the model in one vector a sample, by a pooling layer for example."
            rule = "embeddings (batch, features)"
            raise checks.error(self, "y_pred", rule, tuple(y_pred.shape), fix)
        return y_true, at_least_float32(y_pred)

    def compare(self, *samples: Any, anchors: int | None = None) -> tuple[Tensor, Tensor]:
        """Return the sum over its terms for each anchor, and the number of terms.

        Args:
            *samples: what `samples` gives, for all references.
            anchors: how many of the first references are anchors; None for all of them.

        Returns:
            `(anchors,)` sums with gradients, and `(anchors,)` numbers of terms without.
        """
        raise NotImplementedError

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        every, anchors = own_rows_first(*self.samples(y_true, y_pred))
        return self.values(*self.compare(*every, anchors=anchors))

    def values(self, S: Tensor, N: Tensor) -> Tensor:
        """One value a sample, whose mean over the global batch is `Σ S / Σ N`."""
        ones = ops.ones_like(S)
        N = ops.cast(ops.stop_gradient(N), S.dtype) * ones
        anchors, terms = sum_over_replicas([ops.sum(ones), ops.sum(N)])
        return S * anchors / ops.maximum(terms, 1.0)

    def faults(self, targets: Tensor, y_pred: Tensor, values: Tensor) -> Tensor:
        """Return NaN for all values if there is one: each is compared with each."""
        found = [x for x in (y_pred, targets.faults) if x is not None]
        total = sum(ops.cast(ops.sum(at_least_float32(x)), values.dtype) for x in found)
        return nan_of(ops.reshape(sum_over_replicas(total), (1,)), values)
