"""Does a sample find its own class among its nearest neighbours?"""

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.ops.distances import pairwise_distances
from kcatalog.ops.labels import flat_labels
from kcatalog.ops.retrieval import friends_and_strangers, k_nearest
from kcatalog.registry import component

INF = float("inf")


@component(
    paper=Paper(
        "Product Quantization for Nearest Neighbor Search",
        "Jégou, Douze, Schmid",
        2011,
        "https://doi.org/10.1109/TPAMI.2010.57",
        "section V-B",
    ),
    equation="mean over samples of [nearest of its class is nearer than the k-th of the others]",
    tags=("integer-labels", "embeddings", "streaming"),
    space={"distance": Choice("cosine", "euclidean")},
    example=Example(
        {"k": 2, "distance": "euclidean", "capacity": 32}, shape=(8,), targets="labels", classes=3
    ),
)
class RecallAtK(keras.metrics.Metric):
    """Recall@k: the share of samples with one of their class among their k nearest neighbours.

    What metric learning reports for embeddings: every sample of the epoch is searched for among
    all others, and scores 1 or 0. It compares samples of different batches, so it keeps
    embeddings: `capacity` of them. For sets too large for that, or in a loop of your
    own, `kcatalog.ops.recall_at_k` does the same in chunks. In ranking and recommendation
    recall@k is another thing, the share of relevant items found.

    Maths:
        `R = Σ w_i [d⁺_i < d⁻_i] / Σ w_i` over samples that have another of their class, with `d⁺`
        the `distance` to the nearest of the same class, `d⁻` that to the `k`-th nearest of all
        other classes, and `w` the sample weights: fewer than `k` strangers are nearer than
        the nearest friend. Ties count as misses: mapping all to one point scores 0.

    Args:
        k: How many neighbours count, an integer in [1, inf).
        distance: `"cosine"`, `"euclidean"` or `"squared_euclidean"`.
        capacity: How many samples are kept, an integer in [1, inf). Set it to the size of the set
            or above: later samples are left out.
        name: Name of the metric.
        dtype: Dtype of the metric; None is Keras's default.

    Shapes:
        `y_true`: labels `(batch,)` or `(batch, 1)`, whole numbers of any dtype.
        `y_pred`: embeddings `(batch, features)`. The result is a scalar.

    Behaviour:
        By batches or at once the result is the same: each pair is compared once, when the later
        of its two samples arrives, at `O(batch · capacity)` time; the state is `O(capacity ·
        (features + k))`. Weights weight what is searched for; a sample of weight 0 is
        still found by others. In training the samples of an epoch come from a model that
        changes meanwhile: read the validation value. Not for several replicas of
        `tf.distribute`, each of which would see its own samples.

    Example:
        On a line, 0 and 1 are of one class, 3 and 9 of another; only 3 is nearer to a stranger:

        >>> metric = RecallAtK(k=1, distance="euclidean")
        >>> x = keras.ops.convert_to_tensor([[0.0], [1.0], [3.0], [9.0]])
        >>> float(metric(keras.ops.convert_to_tensor([7, 7, 8, 8]), x))
        0.75
    """

    def __init__(self, k=1, distance="cosine", capacity=4096, name="recall_at_k", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.k = checks.integer(self, "k", k, "[1, inf)")
        self.distance = checks.choice(
            self, "distance", distance, ("cosine", "euclidean", "squared_euclidean")
        )
        self.capacity = checks.integer(self, "capacity", capacity, "[1, inf)")
        far = keras.initializers.Constant(INF)
        self._count = self.add_variable((), "zeros", "int32", name="count")
        self._labels = self.add_variable((capacity, 1), "zeros", "int32", name="labels")
        self._weights = self.add_variable((capacity, 1), "zeros", "float32", name="weights")
        self._friends = self.add_variable((capacity, 1), far, "float32", name="friends")
        self._strangers = self.add_variable((capacity, k), far, "float32", name="strangers")
        self._embeddings = None

    def update_state(self, y_true, y_pred, sample_weight=None):
        x = ops.cast(y_pred, "float32")
        labels = ops.cast(flat_labels(y_true), "int32")[:, None]
        weights = ops.ones_like(x[:, :1])
        if sample_weight is not None:
            weights = weights * ops.cast(ops.reshape(sample_weight, (-1, 1)), "float32")
        if self._embeddings is None:
            shape = (self.capacity, x.shape[-1])
            self._embeddings = self.add_variable(shape, "zeros", "float32", name="embeddings")

        count, batch = self._count.value, ops.shape(x)[0]
        slot, end = ops.arange(self.capacity, dtype="int32")[:, None], count + batch
        arriving = ops.logical_and(slot >= count, slot < end)
        source = ops.clip(slot[:, 0] - count, 0, batch - 1)

        def placed(values, kept):  # the batch goes to the slots from `count` on
            return ops.where(arriving, ops.take(values, source, axis=0), kept)

        for state, values in (
            (self._embeddings, x),
            (self._labels, labels),
            (self._weights, weights),
        ):
            state.assign(placed(values, state.value))

        # every slot against the batch; then the batch against the slots filled before it
        D = pairwise_distances(self._embeddings.value, x, self.distance)
        same = ops.equal(self._labels.value, labels[:, 0])
        place = ops.arange(batch, dtype="int32") + count
        others = ops.logical_and(ops.logical_and(slot < end, place < self.capacity), slot != place)
        d_friends, d_strangers = friends_and_strangers(D, same, others)
        for state, d, k in ((self._friends, d_friends, 1), (self._strangers, d_strangers, self.k)):
            earlier = k_nearest(ops.transpose(ops.where(slot < count, d, INF)), k)
            state.assign(
                k_nearest(ops.concatenate([state.value, d, placed(earlier, INF)], axis=1), k)
            )
        self._count.assign(ops.minimum(end, self.capacity))

    def result(self):
        d_friend, d_stranger = self._friends[:, 0], self._strangers[:, -1]
        w = ops.where(d_friend < INF, self._weights[:, 0], 0.0)
        found = ops.where(d_friend < d_stranger, w, 0.0)
        return ops.cast(ops.divide_no_nan(ops.sum(found), ops.sum(w)), self.dtype)

    def reset_state(self):
        for variable in self.variables:
            start = INF if variable is self._friends or variable is self._strangers else 0
            variable.assign(ops.full(variable.shape, start, dtype=variable.dtype))

    def get_config(self):
        return {
            **super().get_config(),
            "k": self.k,
            "distance": self.distance,
            "capacity": self.capacity,
        }
