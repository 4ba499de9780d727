"""The base of losses that compare the samples of a batch with each other."""

from keras import ops

from kcatalog.losses.loss import Loss
from kcatalog.ops.labels import flat_labels
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.replicas import own_rows_first, sum_over_replicas


class InBatchLoss(Loss):
    """Base of losses in which each sample, the anchor, is compared with references.

    References are the whole batch, under data parallelism that of all replicas, and what
    `CrossBatchMemory` remembers. A part implements `compare`; where its samples are not labels
    and embeddings, also `samples`.

    Anchor `a` contributes a sum `S_a` over `N_a` terms (pairs, triplets). The loss is
    `Σ S_a / Σ N_a` over the anchors of all replicas. Keras takes the mean over samples, so that
    `call` gives `S_a · anchors / Σ N_a`: `sample_weight` weights anchors, and no term gives 0.
    """

    def samples(self, y_true, y_pred):
        """Return the batch as a tuple of tensors with one row a sample: labels, embeddings."""
        return flat_labels(y_true), at_least_float32(y_pred)

    def compare(self, *samples, anchors=None):
        """Return the sum over its terms for each anchor, and the number of terms.

        Args:
            *samples: what `samples` gives, for all references.
            anchors: how many of the first references are anchors; None for all of them.

        Returns:
            `(anchors,)` sums with gradients, and `(anchors,)` numbers of terms without.
        """
        raise NotImplementedError

    def call(self, y_true, y_pred):
        every, anchors = own_rows_first(*self.samples(y_true, y_pred))
        return self.values(*self.compare(*every, anchors=anchors))

    def faults(self, targets, y_pred, values):
        """Return NaN for all values if there is one: each is compared with each."""
        return ops.sum(super().faults(targets, y_pred, values))

    def values(self, S, N):
        """One value a sample, of which the mean over the replicas' means is `Σ S / Σ N`."""
        ones = ops.ones_like(S)
        N = ops.cast(ops.stop_gradient(N), S.dtype) * ones
        anchors, terms = sum_over_replicas([ops.sum(ones), ops.sum(N)])
        return S * anchors / ops.maximum(terms, 1.0)
