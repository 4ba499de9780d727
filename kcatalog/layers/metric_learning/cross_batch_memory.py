from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Paper, Part
from kcatalog.losses.in_batch import InBatchLoss
from kcatalog.ops.labels import labels_of, whole_dtype
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.replicas import all_rows, mean_of_batch, own_rows_first
from kcatalog.ops.targets import Targets
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "Cross-Batch Memory for Embedding Learning",
        "Wang, Zhang, Huang, Scott",
        2020,
        "https://arxiv.org/abs/1912.06798",
        "algorithm 1",
    ),
    equation="L = loss of the batch's anchors against references = batch ∪ memory",
    tags=("identity-at-inference", "shape-preserving"),
    example=Example(
        {
            "loss": Part("kcatalog.losses.TripletHard", margin=0.5),
            "capacity": 12,
            "warm_up_steps": 1,
        },
        shape=(8,),
    ),
)
class CrossBatchMemory(keras.layers.Layer):
    """A memory of embeddings around any loss that compares the samples of a batch.

    Embeddings change slowly once training has found its way, so those of the last batches can
    stand in for a batch many times larger, at the price of the comparison alone. It pays
    where classes are many and a batch holds few samples of each. Too long a memory, or too early a
    start, compares with what the model no longer says: warm up first.

    The layer stands at the end of the model, passes embeddings through, and adds the loss to the
    model's; so the memory is saved, loaded and distributed with the model:

        embeddings = CrossBatchMemory(TripletAll(0.2), 4096)(embeddings, labels)
        model = keras.Model([images, labels], embeddings)
        model.compile("adam")
        model.fit([x, y])
        keras.Model(images, embeddings)  # without labels it is the identity

    Maths:
        `L = Σ S_a / Σ N_a` over the batch's samples `a`, where `loss` gives the sum `S_a` over the
        `N_a` terms that `a` has with the references: the batch, and the last `capacity` samples
        before it. No gradient flows into the memory.

    Args:
        loss: A loss of `kcatalog.losses` on labels and embeddings that compares within the batch
            (a subclass of `InBatchLoss`), such as `TripletAll`.
        capacity: Embeddings remembered, an integer in [1, inf); first in, first out.
        warm_up_steps: Batches before the memory is used, an integer in [0, inf). It is not used
            before it is full either. Counted while training.

    Shapes:
        `embeddings`: `(batch, features)`. `labels`: `(batch,)` or `(batch, 1)`, whole numbers of
        any dtype; left out, the layer is the identity. Out: `embeddings`, unchanged.

    Behaviour:
        In training the loss is added and the batch enters the memory. In evaluation the
        loss is that of the batch alone, and the memory stays. Memory and comparison are in
        float32 at least, whatever the policy. Under data parallelism the references
        are the batches of all replicas, and every replica remembers the same. Labels are remembered
        in 64 bits, on JAX in the 32 of its whole numbers. Costs
        `O(batch · (batch + capacity))`; losses that need all pairs, such as `LiftedStructure`,
        take `O((batch + capacity)²)`. `loss`'s `reduction` is not read: it is the mean.

    Example:
        A batch of one class teaches nothing until the memory holds negatives:

        >>> from kcatalog.losses import TripletHard
        >>> memory = CrossBatchMemory(TripletHard(margin=2.0), capacity=2)
        >>> x, negatives = ops.convert_to_tensor([[[0.0], [1.0]], [[3.0], [9.0]]])
        >>> _ = memory(negatives, ops.convert_to_tensor([5, 5]), training=True)
        >>> float(memory.losses[0])
        0.0
        >>> _ = memory(x, ops.convert_to_tensor([4, 4]), training=True)
        >>> float(memory.losses[0])  # anchor 0: 2 + 1 - 3 = 0; anchor 1: 2 + 1 - 2 = 1
        0.5
    """

    def __init__(self, loss: Any, capacity: int = 1024, warm_up_steps: int = 0, **kwargs: Any):
        super().__init__(**kwargs)
        rule, fix = "an in-batch loss on labels and embeddings", "Take one such as TripletAll()."
        self.loss = checks.instance(self, "loss", loss, InBatchLoss, rule, fix)
        if type(loss).samples is not InBatchLoss.samples:
            raise checks.error(self, "loss", rule, loss, fix)
        self.capacity = checks.integer(self, "capacity", capacity, "[1, inf)")
        self.warm_up_steps = checks.integer(self, "warm_up_steps", warm_up_steps, "[0, inf)")
        self.supports_masking = True

    def build(self, embeddings_shape: Shape, labels_shape: Shape | None = None) -> None:
        checks.rank(self, embeddings_shape, 2, "(batch, features)")
        features = checks.known_axis(self, embeddings_shape, -1, "features")
        self.input_spec = keras.layers.InputSpec(ndim=2, axes={-1: features})
        state = {"initializer": "zeros", "trainable": False, "aggregation": "only_first_replica"}
        self._embeddings = self.add_weight(
            (self.capacity, features), dtype="float32", name="embeddings", **state
        )
        self._labels = self.add_weight(
            (self.capacity,), dtype=whole_dtype(), name="labels", **state
        )
        self._seen = self.add_weight((), dtype="int32", name="seen", **state)
        self._steps = self.add_weight((), dtype="int32", name="steps", **state)

    def call(
        self, embeddings: Tensor, labels: Tensor | None = None, training: bool | None = False
    ) -> Tensor:
        if labels is None:
            return embeddings
        labels = labels_of(self, "labels", labels, embeddings.shape[0])
        own = ops.cast(labels, whole_dtype()), at_least_float32(embeddings)
        every, anchors = own_rows_first(*own)
        if not training:
            S, N = self.loss.compare(*every, anchors=anchors)
        else:
            memory = ops.convert_to_tensor(self._labels), ops.convert_to_tensor(self._embeddings)
            pairs = zip(every, memory, strict=True)
            references = [ops.concatenate([r, m], axis=0) for r, m in pairs]
            batch = ops.shape(embeddings)[0]
            S, N = ops.cond(
                self._in_use(),
                lambda: _with_terms(self.loss.compare(*references, anchors=batch)),
                lambda: _with_terms(self.loss.compare(*every, anchors=anchors)),
            )
            self._remember(*all_rows(*own))
        values = self.loss.values(S, N)
        values = values + self.loss.faults(Targets(labels), embeddings, values)
        count = ops.cast(ops.shape(values)[0], values.dtype)
        self.add_loss(mean_of_batch(ops.divide_no_nan(ops.sum(values), count), count))
        return embeddings

    def _in_use(self):
        full = self._seen.value >= self.capacity
        return ops.logical_and(full, self._steps.value >= self.warm_up_steps)

    def _remember(self, labels, embeddings):
        """Put the batch before what was there, and cut to capacity."""
        for memory, new in ((self._labels, labels), (self._embeddings, embeddings)):
            new = ops.cast(ops.stop_gradient(new), memory.dtype)
            memory.assign(ops.concatenate([new, memory.value], axis=0)[: self.capacity])
        seen = self._seen.value + ops.shape(labels)[0]
        self._seen.assign(ops.minimum(seen, self.capacity))
        self._steps.assign(self._steps.value + 1)

    def compute_output_shape(
        self, embeddings_shape: Shape, labels_shape: Shape | None = None
    ) -> Shape:
        return embeddings_shape


def _with_terms(compared):
    """Cast sums and numbers of terms to one dtype and shape, for both sides of a condition."""
    S, N = compared
    return S, ops.cast(N, S.dtype) * ops.ones_like(S)
