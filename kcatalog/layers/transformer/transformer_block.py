"""The base of encoder and decoder blocks: arguments, sub-layers, residual connections."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.layers.attention.attention_bias import AttentionBias
from kcatalog.layers.core.gated_feed_forward import GatedFeedForward
from kcatalog.layers.redrawn import redrawn
from kcatalog.ops.attention import attend
from kcatalog.ops.positions import angles, rotate
from kcatalog.types import KerasObject, Shape, Tensor


class TransformerBlock(keras.layers.Layer):
    """Attention and feed-forward layers, each with normalization and a residual connection.

    Args:
        intermediate_dim: Hidden units of the feed-forward layer, an integer in [1, inf).
        num_heads: Number of attention heads, an integer in [1, inf) that divides the number of
            features.
        dropout: Probability that an attention weight, or a feature of a sub-layer's output, is
            dropped, a number in [0, 1).
        activation: Activation of the hidden units, a Keras activation by name, or a function.
        layer_norm_epsilon: Added to the variance in normalization, a number in (0, inf).
        kernel_initializer: Initializer of the kernels.
        bias_initializer: Initializer of the biases.
        normalize_first: Whether the input of a sub-layer is normalized (pre-normalization, which
            trains without warm-up and wants a normalization after the last block), or its sum with
            the output, as in the paper.
        normalization: `"layer"` or `"rms"`.
        gated: Whether the feed-forward layer is a `GatedFeedForward`.
        rotary: Whether queries and keys of self-attention get rotary position embeddings, as by
            `RotaryEmbedding`.
        max_wavelength: That of the rotary embedding, a number in (0, inf).
        position_bias: An `ALiBi` or `RelativePositionBias` layer, whose numbers are added to the
            scores of self-attention, or None. Each block needs its own: Keras does not save a
            layer that is shared within others.
        use_bias: Whether attention and feed-forward layers have biases.
        kernel_regularizer: Regularizer of the kernels, or None.
        bias_regularizer: Regularizer of the biases, or None.
        kernel_constraint: Constraint on the kernels, or None.
        bias_constraint: Constraint on the biases, or None.
        seed: An integer in [0, inf), or None.
    """

    def __init__(
        self,
        intermediate_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        activation: KerasObject = "relu",
        layer_norm_epsilon: float = 1e-5,
        kernel_initializer: KerasObject = "glorot_uniform",
        bias_initializer: KerasObject = "zeros",
        normalize_first: bool = False,
        normalization: str = "layer",
        gated: bool = False,
        rotary: bool = False,
        max_wavelength: float = 10000.0,
        position_bias: keras.layers.Layer | None = None,
        use_bias: bool = True,
        kernel_regularizer: KerasObject | None = None,
        bias_regularizer: KerasObject | None = None,
        kernel_constraint: KerasObject | None = None,
        bias_constraint: KerasObject | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.intermediate_dim = checks.integer(
            self, "intermediate_dim", intermediate_dim, "[1, inf)"
        )
        self.num_heads = checks.integer(self, "num_heads", num_heads, "[1, inf)")
        self.dropout = checks.number(self, "dropout", dropout, "[0, 1)")
        self.activation = checks.activation(self, "activation", activation)
        self.layer_norm_epsilon = checks.number(
            self, "layer_norm_epsilon", layer_norm_epsilon, "(0, inf)"
        )
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)
        self.bias_initializer = checks.initializer(self, "bias_initializer", bias_initializer)
        self.normalize_first = checks.boolean(self, "normalize_first", normalize_first)
        self.normalization = checks.choice(self, "normalization", normalization, ("layer", "rms"))
        self.gated = checks.boolean(self, "gated", gated)
        self.rotary = checks.boolean(self, "rotary", rotary)
        self.max_wavelength = checks.number(self, "max_wavelength", max_wavelength, "(0, inf)")
        self.position_bias = checks.instance(
            self, "position_bias", position_bias, (AttentionBias, type(None)), "a layer or None"
        )
        self.use_bias = checks.boolean(self, "use_bias", use_bias)
        self.kernel_regularizer = checks.regularizer(self, "kernel_regularizer", kernel_regularizer)
        self.bias_regularizer = checks.regularizer(self, "bias_regularizer", bias_regularizer)
        self.kernel_constraint = checks.constraint(self, "kernel_constraint", kernel_constraint)
        self.bias_constraint = checks.constraint(self, "bias_constraint", bias_constraint)
        self.seed = checks.integer(self, "seed", seed, "[0, inf)", optional=True)
        self._seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    # --- sub-layers ---------------------------------------------------------------------

    def build_block(self, shape: Shape) -> None:
        """Check the input's shape and build self-attention and feed-forward layers."""
        checks.rank(self, shape, 3, "(batch, steps, features)")
        features = checks.known_axis(self, shape, -1, "features")
        if features % self.num_heads:
            rule = f"a shape whose features are a multiple of num_heads={self.num_heads}"
            raise checks.error(self, "input_shape", rule, tuple(shape))
        if self.rotary and features // self.num_heads % 2:
            rule = "a shape with an even number of features for each head, since rotary=True"
            raise checks.error(self, "input_shape", rule, tuple(shape))
        self.input_spec = keras.layers.InputSpec(ndim=3, axes={-1: features})
        self._attention = self.heads(shape, shape, "self_attention")
        self._attention_norm = self.norm(shape, "self_attention_norm")
        if self.position_bias is not None and not self.position_bias.built:
            self.position_bias.build((None, self.num_heads, None, None))
        hidden, shared = self.intermediate_dim, self._shared()
        if self.gated:
            self._forward = GatedFeedForward(hidden, self.activation, name="feed_forward", **shared)
            self._forward.build(shape)
        else:
            self._hidden = keras.layers.Dense(hidden, self.activation, name="hidden", **shared)
            self._output = keras.layers.Dense(features, name="output", **self._shared())
            self._hidden.build(shape)
            self._output.build((*shape[:-1], hidden))
        self._forward_norm = self.norm(shape, "feed_forward_norm")

    def _shared(self):
        """Return the arguments of every sub-layer with kernels."""
        return {
            "use_bias": self.use_bias,
            "kernel_initializer": redrawn(self.kernel_initializer),
            "bias_initializer": redrawn(self.bias_initializer),
            "kernel_regularizer": self.kernel_regularizer,
            "bias_regularizer": self.bias_regularizer,
            "kernel_constraint": self.kernel_constraint,
            "bias_constraint": self.bias_constraint,
            "dtype": self.dtype_policy,
        }

    def heads(self, shape: Shape, memory_shape: Shape, name: str) -> keras.layers.Layer:
        """Build the projections of an attention layer."""
        attention = keras.layers.MultiHeadAttention(
            self.num_heads, shape[-1] // self.num_heads, name=name, **self._shared()
        )
        attention.build(shape, memory_shape)
        for projection in (attention.query_dense, attention.key_dense, attention.value_dense):
            projection.supports_masking = True  # else Keras warns that they drop it
        return attention

    def norm(self, shape: Shape, name: str) -> keras.layers.Layer:
        """Build a normalization."""
        layers = keras.layers
        kinds = {"layer": layers.LayerNormalization, "rms": layers.RMSNormalization}
        layer = kinds[self.normalization](
            epsilon=self.layer_norm_epsilon, dtype=self.dtype_policy, name=name
        )
        layer.build(shape)
        return layer

    # --- the equations ------------------------------------------------------------------

    def residual(
        self, norm: keras.layers.Layer, f: Callable[..., Tensor], x: Tensor, training: bool | None
    ) -> Tensor:
        """Return `x + f(norm(x))` if `normalize_first`, else `norm(x + f(x))`."""
        if self.normalize_first:
            return x + self.drop(f(norm(x)), training)
        return norm(x + self.drop(f(x), training))

    def feed_forward(self, x: Tensor) -> Tensor:
        """Return `W₂ φ(W₁ x)`, or its gated form."""
        return self._forward(x) if self.gated else self._output(self._hidden(x))

    def drop(self, x: Tensor, training: bool | None) -> Tensor:
        """Apply dropout in training."""
        if not training or not self.dropout:
            return x
        return keras.random.dropout(x, self.dropout, seed=self._seed_generator)

    def keys_and_values(
        self, attention: keras.layers.Layer, memory: Tensor, start: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Project keys and values; keys are turned for positions from `start` on, if given."""
        return self.turned(attention.key_dense(memory), start), attention.value_dense(memory)

    def turned(self, x: Tensor, start: Tensor) -> Tensor:
        """Apply the rotary embedding to queries or keys, if there is one."""
        if not self.rotary or start is None:
            return x
        positions = start + ops.arange(ops.shape(x)[1])
        a = angles(positions, x.shape[-1], self.max_wavelength)
        return rotate(x, a[:, None])

    def bias(self, queries: Tensor, keys: Tensor, start: Tensor) -> Tensor | None:
        """Return what the position bias adds to the scores of self-attention, or None."""
        if self.position_bias is None:
            return None
        positions = start + ops.arange(ops.shape(queries)[1]), ops.arange(ops.shape(keys)[1])
        return ops.expand_dims(self.position_bias.bias(*positions), 0)

    def attended(
        self,
        attention: keras.layers.Layer,
        q: Tensor,
        k: int,
        v: Tensor,
        training: bool | None,
        **options: Any,
    ) -> Tensor:
        """Return the weighted mean of the values, projected back to the features."""
        drops = training and self.dropout
        drop = (lambda w: self.drop(w, training)) if drops else None
        return attention.output_dense(attend(q, k, v, drop=drop, **options))
