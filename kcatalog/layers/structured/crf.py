from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.ops import crf, crf_scores
from kcatalog.ops.masks import mask_of
from kcatalog.ops.precision import as_floats, at_least_float32
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "Conditional Random Fields: Probabilistic Models for Segmenting and Labeling Sequence Data",
        "Lafferty, McCallum, Pereira",
        2001,
        "https://repository.upenn.edu/handle/20.500.14332/6188",
        "section 3, equation 1",
    ),
    equation="p(y | x) ∝ exp(start[y_1] + Σ_t u_t[y_t] + Σ_t A[y_t-1, y_t] + end[y_n])",
    tags=("masking",),
    space={"use_boundary": Choice(True, False)},
    example=Example({"units": 3}, shape=(5, 4)),
    exemptions={"litert_equal": "has no BitwiseAnd", "onnx_equal": "has no TensorListReserve"},
)
class CRF(keras.layers.Layer):
    """A linear-chain conditional random field: the best sequence of tags, chosen as a whole.

    The last layer of a tagger (entities, parts of speech, segments of a signal), in place of a
    softmax for each step. Train it with `kcatalog.losses.CRFCrossentropy` and integer labels;
    `metrics=["accuracy"]` counts right tags. For thousands of tags, or tags that do not depend on
    their neighbours, use `keras.layers.Dense`.

    Maths:
        `ŷ = argmax over y of s(y)`, with `s(y) = start[y_1] + Σ_t u_t[y_t] + Σ_t A[y_t-1, y_t] +
        end[y_n]`, potentials `u = W x + b` and transitions `A`. `p(y) = exp(s(y)) / Z`, with `Z`
        the sum over all sequences.

    Args:
        units: The number of tags, an integer in [1, inf).
        chain_initializer: Initializer of `A`.
        use_boundary: Whether `start` and `end` are learned; else they are 0.
        boundary_initializer: Initializer of `start` and `end`.
        use_kernel: Whether `u = W x + b`; else `u = x`, which must have `units` features.
        use_bias: Whether there is `b`.
        kernel_initializer: Initializer of `W`.
        bias_initializer: Initializer of `b`.
        kernel_regularizer: Regularizer of `W`, or None.
        bias_regularizer: Regularizer of `b`, or None.
        chain_regularizer: Regularizer of `A`, or None.
        kernel_constraint: Constraint on `W`, or None.
        bias_constraint: Constraint on `b`, or None.
        chain_constraint: Constraint on `A`, or None.
        allowed_transitions: Lists of 0 and 1, `units` of `units`: whether the column's tag may
            follow the row's. `kcatalog.ops.allowed_tags` makes all three for names of tags such as
            "B-PER". None allows all.
        allowed_starts: 0 or 1 for each tag: whether a sequence may begin with it. None allows all.
        allowed_ends: 0 or 1 for each tag: whether a sequence may end with it. None allows all.

    Shapes:
        Input `(batch, steps, features)`. Output `(batch, steps, units)`: 1 for the chosen tag, else
        0, so that `keras.ops.argmax(output, axis=-1)` gives integer tags. Called with
        `marginals=True`: `p(y_t = k)`, the probability of each tag at each step, instead. Called
        with `known_tags`, integers `(batch, steps)` with -1 for what is not known, the same under
        the condition that those tags are right.

    Behaviour:
        Training and inference are the same. Deterministic. A mask may leave out steps anywhere;
        tags follow each other across the gap, and the output of masked steps is 0. The output is
        constant almost everywhere, so its gradient is 0; that of the loss and of the marginals is
        not. What is not allowed is never chosen, and has no probability, where anything allowed
        is left; the loss knows nothing of it, so that no label makes it infinite. Computed in
        float32. The loss finds the scores on the output itself, so this layer must be the last of
        the model that is compiled.

    Example:
        The second step alone would take tag 1, but staying pays more:

        >>> layer = CRF(units=2, chain_initializer="identity", use_kernel=False)
        >>> path = layer(ops.convert_to_tensor([[[3.0, 0.0], [0.0, 0.9], [2.0, 0.0]]]))
        >>> ops.convert_to_numpy(ops.argmax(path, axis=-1)).tolist()
        [[0, 0, 0]]
    """

    def __init__(
        self,
        units: int,
        chain_initializer: KerasObject = "orthogonal",
        use_boundary: bool = True,
        boundary_initializer: KerasObject = "zeros",
        use_kernel: bool = True,
        use_bias: bool = True,
        kernel_initializer: KerasObject = "glorot_uniform",
        bias_initializer: KerasObject = "zeros",
        kernel_regularizer: KerasObject | None = None,
        bias_regularizer: KerasObject | None = None,
        chain_regularizer: KerasObject | None = None,
        kernel_constraint: KerasObject | None = None,
        bias_constraint: KerasObject | None = None,
        chain_constraint: KerasObject | None = None,
        allowed_transitions: Sequence[Sequence[int]] | None = None,
        allowed_starts: Sequence[int] | None = None,
        allowed_ends: Sequence[int] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.units = checks.integer(self, "units", units, "[1, inf)")
        self.use_boundary = checks.boolean(self, "use_boundary", use_boundary)
        self.use_kernel = checks.boolean(self, "use_kernel", use_kernel)
        self.use_bias = checks.boolean(self, "use_bias", use_bias)
        given = {
            "chain_initializer": chain_initializer,
            "boundary_initializer": boundary_initializer,
            "kernel_initializer": kernel_initializer,
            "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer,
            "bias_regularizer": bias_regularizer,
            "chain_regularizer": chain_regularizer,
            "kernel_constraint": kernel_constraint,
            "bias_constraint": bias_constraint,
            "chain_constraint": chain_constraint,
        }
        for name, value in given.items():
            setattr(self, name, getattr(checks, name.rpartition("_")[2])(self, name, value))
        self.allowed_transitions = checks.bits(
            self, "allowed_transitions", allowed_transitions, (units, units)
        )
        self.allowed_starts = checks.bits(self, "allowed_starts", allowed_starts, (units,))
        self.allowed_ends = checks.bits(self, "allowed_ends", allowed_ends, (units,))
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        checks.rank(self, input_shape, 3, "(batch, steps, features)")
        features = checks.known_axis(self, input_shape, -1, "features")
        if not self.use_kernel and features != self.units:
            rule, fix = f"(batch, steps, {self.units})", "Or set use_kernel=True."
            raise checks.error(self, "input_shape", rule, tuple(input_shape), fix)
        self.input_spec = keras.layers.InputSpec(ndim=3, axes={-1: features})
        if self.use_kernel:
            self._W = keras.layers.Dense(
                self.units,
                None,
                self.use_bias,
                self.kernel_initializer,
                self.bias_initializer,
                self.kernel_regularizer,
                self.bias_regularizer,
                kernel_constraint=self.kernel_constraint,
                bias_constraint=self.bias_constraint,
                dtype=self.dtype_policy,
                name="potentials",
            )
            self._W.build(input_shape)
        self._A = self.add_weight(
            (self.units, self.units),
            self.chain_initializer,
            regularizer=self.chain_regularizer,
            constraint=self.chain_constraint,
            autocast=False,
            name="chain_kernel",
        )
        self._start = self._end = None
        if self.use_boundary:
            self._start, self._end = (
                self.add_weight((self.units,), self.boundary_initializer, autocast=False, name=name)
                for name in ("left_boundary", "right_boundary")
            )

    def call(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        known_tags: Tensor | None = None,
        marginals: bool = False,
    ) -> Tensor:
        mask = mask_of(x) if mask is None else mask  # which Keras omits beside `known_tags`
        x = as_floats(x, self.compute_dtype)
        u = at_least_float32(self._W(x) if self.use_kernel else x)
        A, start, end = self._A, self._start, self._end
        allowed = None
        if known_tags is not None:
            known = ops.cast(known_tags, "int32")[..., None]
            allowed = ops.logical_or(known < 0, known == ops.arange(self.units, dtype="int32"))
        starts, ends = _only(self.allowed_starts, start), _only(self.allowed_ends, end)
        chain = (u, _only(self.allowed_transitions, A), mask, starts, ends, allowed)
        scores = crf_scores.pack(u, A, start, end)
        if marginals:
            y = crf.crf_marginals(*chain)
        else:
            y = ops.one_hot(crf.crf_decode(*chain)[0], self.units, dtype=u.dtype)
            y = y if mask is None else y * ops.cast(mask, u.dtype)[..., None]
            # a NaN stays one, and the gradient is 0, not missing
            y = y + 0 * (u + ops.sum(scores[:, -self.units - 2 :], axis=(1, 2), keepdims=True))
        return crf_scores.with_scores(ops.cast(y, self.compute_dtype), scores)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.units)


def _only(allowed, scores):
    """Return the scores of what is allowed, and of the rest a score of the impossible."""
    if allowed is None:
        return scores
    allowed = ops.convert_to_tensor(allowed, dtype="bool")
    scores = ops.zeros(allowed.shape) if scores is None else ops.convert_to_tensor(scores)
    return ops.where(allowed, scores, crf.IMPOSSIBLE)
