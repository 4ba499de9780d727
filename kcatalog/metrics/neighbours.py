"""The base of retrieval metrics: distances to the nearest positives and negatives."""

import keras
from keras import ops

from kcatalog import checks
from kcatalog.ops.buffer import appended
from kcatalog.ops.distances import pairwise_distances
from kcatalog.ops.labels import flat_labels
from kcatalog.ops.retrieval import k_nearest, positive_ranks, positives_and_negatives
from kcatalog.ops.weights import weights_like

INF = float("inf")


class Neighbours(keras.metrics.Metric):
    """Base of retrieval metrics: it keeps samples, and distances to their nearest neighbours.

    Positives are samples of the same class, negatives those of others. A metric says by `_keep` how
    many of both it needs, and by `_scores(r)` what the ranks of a query's positives are worth.
    Keras asks for the result after every batch, so what is kept are sorted distances,
    which a batch updates: each pair is compared once, when the later of its two samples arrives.

    Args:
        distance: `"cosine"`, `"euclidean"` or `"squared_euclidean"`.
        capacity: How many samples are kept, an integer in [1, inf). Set it to the size of the set
            or above: later samples are left out.

    Shapes:
        `y_true`: labels `(batch,)` or `(batch, 1)`, whole numbers of any dtype.
        `y_pred`: embeddings `(batch, features)`. The result is a scalar.

    Behaviour:
        By batches or at once the result is the same: each pair is compared once, when the later
        of its two samples arrives, at `O(batch · capacity)` time; the state is `O(capacity ·
        (features + neighbours))`. `sample_weight` weights queries; a sample of weight 0 is
        still found by others. In training the samples of an epoch come from a model that
        changes meanwhile: read the validation value. Not for several replicas of
        `tf.distribute`, each of which would see its own samples.
    """

    def __init__(self, distance="cosine", capacity=4096, **kwargs):
        super().__init__(**kwargs)
        self.distance = checks.choice(
            self, "distance", distance, ("cosine", "euclidean", "squared_euclidean")
        )
        self.capacity = checks.integer(self, "capacity", capacity, "[1, inf)")

    def _keep(self, positives, negatives):
        capacity = self.capacity
        far = keras.initializers.Constant(INF)
        self._count = self.add_variable((), "zeros", "int32", name="count")
        self._labels = self.add_variable((capacity,), "zeros", "int32", name="labels")
        self._weights = self.add_variable((capacity,), "zeros", "float32", name="weights")
        self._positives = self.add_variable((capacity, positives), far, "float32", name="positives")
        self._negatives = self.add_variable((capacity, negatives), far, "float32", name="negatives")
        self._embeddings = None

    def update_state(self, y_true, y_pred, sample_weight=None):
        x, labels = ops.cast(y_pred, "float32"), ops.cast(flat_labels(y_true), "int32")
        weights = weights_like(sample_weight, labels)
        capacity = self._labels.shape[0]
        if self._embeddings is None:
            shape = (capacity, x.shape[-1])
            self._embeddings = self.add_variable(shape, "zeros", "float32", name="embeddings")

        count = self._count.value
        for state, values in (
            (self._embeddings, x),
            (self._labels, labels),
            (self._weights, weights),
        ):
            state.assign(appended(state.value, values, count))

        # every slot against the batch; then the batch against the slots filled before it
        D = pairwise_distances(self._embeddings.value, x, self.distance)
        same = ops.equal(self._labels.value[:, None], labels[None, :])
        slot, end = ops.arange(capacity, dtype="int32")[:, None], count + ops.shape(x)[0]
        place = ops.arange(ops.shape(x)[0], dtype="int32") + count
        others = ops.logical_and(ops.logical_and(slot < end, place < capacity), slot != place)
        for state, d in zip(
            (self._positives, self._negatives),
            positives_and_negatives(D, same, others),
            strict=True,
        ):
            k = state.shape[1]
            earlier = k_nearest(ops.transpose(ops.where(slot < count, d, INF)), k)
            earlier = appended(ops.full((capacity, k), INF), earlier, count)
            state.assign(k_nearest(ops.concatenate([state.value, d, earlier], axis=1), k))
        self._count.assign(ops.minimum(end, capacity))

    def result(self):
        r = positive_ranks(self._positives.value, self._negatives.value)
        w = ops.where(r[:, 0] < INF, self._weights.value, 0.0)
        mean = ops.divide_no_nan(ops.sum(w * self._scores(r)), ops.sum(w))
        return ops.cast(mean, self.dtype)

    def reset_state(self):
        for variable in self.variables:
            start = INF if variable is self._positives or variable is self._negatives else 0
            variable.assign(ops.full(variable.shape, start, dtype=variable.dtype))
