"""The base of the attention of one query at a time: probabilities, masks, monotonic alignments."""

import abc
from typing import Any

import keras
import numpy as np
from keras import ops

from kcatalog import checks
from kcatalog.ops.monotonic import first_stop, stop_probabilities
from kcatalog.ops.precision import at_least_float32
from kcatalog.types import KerasObject, Shape, Tensor

_LOWEST = float(np.finfo("float32").min)


class AttentionMechanism(abc.ABC, keras.layers.Layer):
    """Base of `BahdanauAttention` and `LuongAttention`.

    Args:
        units: Width of the space in which query and memory are compared, an integer in [1, inf).
        monotonic: None for a softmax over the memory. "soft" makes the attention move forward only,
            by the expected alignment of Raffel et al. (2017). "hard" trains as "soft" does, and
            at inference attends to one position, the first at or after the last whose score is
            above 0.
        sigmoid_noise: Standard deviation of the noise that monotonic attention adds to scores in
            training, so that they move away from 0, a number in [0, inf).
        score_bias_initializer: Initializer of the number added to each score of monotonic
            attention. Negative numbers make it move on at first.
        kernel_initializer: Initializer of the kernels.
        kernel_regularizer: Regularizer of the kernels, or None.
        kernel_constraint: Constraint on the kernels, or None.
        seed: Seed of the noise, an integer in [0, inf), or None.

    Shapes:
        `query`: `(batch, query_features)`; `memory`: `(batch, steps, features)`. Optional: `keys`,
        made by the method `keys`, `(batch, steps, units)`, and the `alignments` of the query
        before, `(batch, steps)`, which monotonic attention continues. Output: the context
        `(batch, features)` and the alignments `(batch, steps)`.

    Behaviour:
        A mask of the memory (`memory_mask`, or the one that Keras passes on) gives padding the
        alignment 0. If all of a memory is padding, alignments and context are 0. Alignments are
        computed in float32 or wider. Without `alignments`, monotonic attention starts at the first
        position; it may attend to nothing. Noise is drawn in training only.
    """

    def __init__(
        self,
        units: int,
        monotonic: str | None = None,
        sigmoid_noise: float = 0.0,
        score_bias_initializer: KerasObject = "zeros",
        kernel_initializer: KerasObject = "glorot_uniform",
        kernel_regularizer: KerasObject | None = None,
        kernel_constraint: KerasObject | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.units = checks.integer(self, "units", units, "[1, inf)")
        self.monotonic = checks.choice(self, "monotonic", monotonic, (None, "soft", "hard"))
        self.sigmoid_noise = checks.number(self, "sigmoid_noise", sigmoid_noise, "[0, inf)")
        self.score_bias_initializer = checks.initializer(
            self, "score_bias_initializer", score_bias_initializer
        )
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)
        self.kernel_regularizer = checks.regularizer(self, "kernel_regularizer", kernel_regularizer)
        self.kernel_constraint = checks.constraint(self, "kernel_constraint", kernel_constraint)
        self.seed = checks.integer(self, "seed", seed, "[0, inf)", optional=True)
        noisy = monotonic and sigmoid_noise > 0
        self._noise = keras.random.SeedGenerator(seed) if noisy else None

    def build(self, query_shape: Shape, memory_shape: Shape) -> None:
        checks.rank(self, query_shape, 2, "a query (batch, query_features)")
        checks.rank(self, memory_shape, 3, "a memory (batch, steps, features)")
        features = checks.known_axis(self, memory_shape, -1, "features")
        depth = checks.known_axis(self, query_shape, -1, "query_features")
        self.input_spec = keras.layers.InputSpec(ndim=2, axes={-1: depth})
        self._features = features
        self._memory_kernel = self._kernel("memory_kernel", features)
        if self.monotonic:
            self._r = self.add_weight((), self.score_bias_initializer, name="score_bias")

    def _kernel(self, name, width):
        return self.add_weight(
            (width, self.units),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name=name,
        )

    def keys(self, memory: Tensor) -> Tensor:
        """Return what queries are compared with: once for all queries of a memory."""
        W = ops.cast(self._memory_kernel, self.compute_dtype)
        return ops.matmul(ops.cast(memory, self.compute_dtype), W)

    @abc.abstractmethod
    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """Return the scores `(batch, steps)` of the memory's positions."""

    def call(
        self,
        query: Tensor,
        memory: Tensor,
        keys: Tensor | None = None,
        alignments: Tensor | None = None,
        memory_mask: Tensor | None = None,
        training: bool | None = False,
    ) -> Tensor:
        checks.rank(self, memory.shape, 3, "a memory (batch, steps, features)")
        if memory.shape[-1] != self._features:
            rule = f"a memory with {self._features} features"
            raise checks.error(self, "input_shape", rule, tuple(memory.shape))
        memory = ops.cast(memory, self.compute_dtype)
        keys = self.keys(memory) if keys is None else keys
        e = at_least_float32(self.score(ops.cast(query, self.compute_dtype), keys))
        if self.monotonic:
            e = e + ops.cast(self._r, e.dtype)
            if training and self._noise:
                noise = keras.random.normal(ops.shape(e), dtype=e.dtype, seed=self._noise)
                e = e + self.sigmoid_noise * noise
        if memory_mask is not None:
            memory_mask = ops.cast(memory_mask, "bool")
            e = ops.where(memory_mask, e, _LOWEST)
        α = self._probabilities(e, alignments, training)
        if memory_mask is not None:
            α = ops.where(memory_mask, α, 0.0)
        α = ops.cast(α, self.compute_dtype)
        return ops.squeeze(ops.matmul(ops.expand_dims(α, 1), memory), 1), α

    def _probabilities(self, e, previous, training):
        if not self.monotonic:
            return ops.softmax(e, axis=-1)
        previous = self.initial_alignments(e) if previous is None else ops.cast(previous, e.dtype)
        if self.monotonic == "hard" and not training:
            return first_stop(e, previous)
        return stop_probabilities(e, previous)

    def initial_alignments(self, like: Tensor) -> Tensor:
        """Return the alignments before the first query: those of one that attended to the first
        position. `like` has the axes `(batch, steps, ...)`."""
        batch, steps = ops.shape(like)[:2]
        zeros = ops.zeros((batch, steps), keras.backend.standardize_dtype(like.dtype))
        return zeros + ops.cast(ops.equal(ops.arange(steps), 0), zeros.dtype)

    def compute_output_shape(self, query_shape: Shape, memory_shape: Shape) -> Shape:
        return (query_shape[0], memory_shape[-1]), tuple(memory_shape[:2])
