"""The base of retrieval metrics: distances to the nearest positives and negatives."""

from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.metrics.kept_samples import KeptSamples
from kcatalog.ops.buffer import appended
from kcatalog.ops.distances import pairwise_distances
from kcatalog.ops.neighbours import embeddings_and_labels, k_nearest, positives_and_negatives
from kcatalog.ops.retrieval import positive_ranks
from kcatalog.ops.weights import Weights, without_nan
from kcatalog.ops.words import same_words
from kcatalog.types import Tensor

INF = float("inf")


class Neighbours(KeptSamples):
    """Base of retrieval metrics: it keeps samples, and distances to their nearest neighbours.

    Positives are samples of the same class, negatives those of others. A metric says by `_keep` how
    many of both it needs, and by `_scores(r)` what the ranks of a query's positives are worth.
    Keras asks for the result after every batch, so what is kept are sorted distances,
    which a batch updates: each pair is compared once, when the later of its two samples arrives.

    Args:
        distance: `"cosine"`, `"euclidean"` or `"squared_euclidean"`.
        capacity: How many samples are kept, an integer in [1, inf). Set it to the size of the set
            or above: later samples are left out, with a warning that tells how many there are.

    Shapes:
        `y_true`: labels `(batch,)` or `(batch, 1)`, whole numbers of any dtype. (In `fit` and
        `evaluate` on JAX and of 64 bits, they are what JAX leaves of them: 32.)
        `y_pred`: embeddings `(batch, features)`. The result is a scalar.

    Behaviour:
        By batches or at once the result is the same: each pair is compared once, when the later
        of its two samples arrives, at `O(batch · capacity)` time; the state is `O(capacity ·
        (features + neighbours))`. `sample_weight` weights queries; a sample of weight 0 is
        still found by others. In training the samples of an epoch come from a model that
        changes meanwhile: read the validation value. Several replicas of `tf.distribute`, each of
        which would see its own samples, are refused.
    """

    def __init__(self, distance: str = "cosine", capacity: int = 4096, **kwargs: Any):
        super().__init__(capacity, **kwargs)
        self.distance = checks.choice(
            self, "distance", distance, ("cosine", "euclidean", "squared_euclidean")
        )

    def _keep(self, positives, negatives):
        capacity = self.capacity
        far = keras.initializers.Constant(INF)
        self._labels = self.add_variable((capacity, 2), "zeros", "int32", name="labels")
        self._weights = self.add_variable((capacity,), "zeros", "float32", name="weights")
        self._positives = self.add_variable((capacity, positives), far, "float32", name="positives")
        self._negatives = self.add_variable((capacity, negatives), far, "float32", name="negatives")
        self._embeddings = None

    def read(self, y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, Tensor]:
        """Return labels in two words, which no backend cuts, and embeddings."""
        x, labels = embeddings_and_labels(self, y_true, y_pred)
        if self._embeddings is None and x.shape[0] != 0:
            shape = (self.capacity, x.shape[-1])
            self._embeddings = self.add_variable(shape, "zeros", "float32", name="embeddings")
        return labels, x

    def count(self, labels: Tensor, x: Tensor, weights: Weights) -> None:
        """Keep samples, and compare them with each other and with those before."""
        batch, capacity, w, x = ops.shape(x)[0], self.capacity, weights(x[:, 0]), without_nan(x)
        before = self.keep(batch, embeddings=x, labels=labels, weights=w)

        # every slot against the batch; then the batch against the slots filled before it
        D = pairwise_distances(ops.convert_to_tensor(self._embeddings), x, self.distance)
        same = same_words(ops.convert_to_tensor(self._labels), labels)
        slot = ops.arange(capacity, dtype="int32")[:, None]
        place = ops.arange(batch, dtype="int32") + before
        others = ops.logical_and(slot < before + batch, place < capacity)
        others = ops.logical_and(others, slot != place)
        for state, d in zip(
            (self._positives, self._negatives),
            positives_and_negatives(D, same, others),
            strict=True,
        ):
            k = state.shape[1]
            earlier = k_nearest(ops.transpose(ops.where(slot < before, d, INF)), k)
            earlier = appended(ops.full((capacity, k), INF), earlier, before)
            found = [ops.convert_to_tensor(state), d, earlier]
            state.assign(k_nearest(ops.concatenate(found, axis=1), k))

    def result(self) -> Tensor:
        """Return the weighted mean of the scores of all queries that have a positive."""
        self.report_overflow()
        r = positive_ranks(self._positives.value, self._negatives.value)
        w = ops.convert_to_tensor(self._weights) * ops.cast(r[:, 0] < INF, "float32")
        mean = ops.divide_no_nan(ops.sum(w * self._scores(r)), ops.sum(w))
        return ops.cast(mean, self.dtype)

    def reset_state(self) -> None:
        """Forget all samples."""
        super().reset_state()
        for variable in (self._positives, self._negatives):
            variable.assign(ops.full(variable.shape, INF, dtype=variable.dtype))
