"""In-batch losses with one fault each, and the check that has to find it."""

import keras
from keras import ops

from kcatalog.card import Example
from kcatalog.losses.in_batch import InBatchLoss
from kcatalog.ops.targets import Targets
from tests.conformance.broken_parts import broken

LABELLED = {
    "example": Example(shape=(5,), targets="labels", classes=3),
    "tags": ("in-batch", "integer-labels", "embeddings"),
}


@broken("two_replicas_equal_one", example=Example(shape=(5,)), tags=("in-batch",))
class CentersOnItsOwnRows(InBatchLoss):
    """Moves the origin to the mean of its anchors: right, but NaN where a replica has no row."""

    def targets(self, y_true, y_pred):
        return Targets(None)

    def samples(self, y_true, y_pred):
        return (y_pred,)

    def compare(self, x, anchors=None):
        x = x - ops.stop_gradient(ops.mean(x[:anchors], axis=0))
        xx = ops.sum(x * x, axis=1)
        D = xx[:anchors, None] + xx[None, :] - 2 * ops.matmul(x[:anchors], ops.transpose(x))
        return ops.sum(D, axis=1), ops.ones_like(xx[:anchors])


@broken("two_replicas_equal_one", example=Example(shape=(5,)), tags=("in-batch",))
class CountsReplicasAlike(CentersOnItsOwnRows):
    """Takes the mean of the replicas' means, whatever their numbers of rows."""

    compares_samples = False

    def compare(self, x, anchors=None):
        D = ops.sum(ops.square(x[:anchors, None] - x[None, :]), axis=(1, 2))
        return D, ops.ones_like(D)


@broken(
    "large_labels_stay_apart", "what_is_no_batch_is_refused", "no_samples_lose_nothing", **LABELLED
)
class LeavesLabelsToKeras(keras.losses.Loss):
    """Takes labels as Keras casts them, whatever their shape, and what Keras makes of no sample."""

    def call(self, y_true, y_pred):
        y = ops.reshape(y_true, (-1,))
        far = ops.sum(ops.square(y_pred[:, None] - y_pred[None, :]), axis=-1)
        return ops.sum(ops.where(y[:, None] == y[None, :], far, 0.0), axis=1)
