from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Paper
from kcatalog.layers.redrawn import redrawn
from kcatalog.ops.masks import mask_of, with_mask
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding",
        "Devlin, Chang, Lee, Toutanova",
        2019,
        "https://arxiv.org/abs/1810.04805",
        "section 3.1, task 1",
    ),
    equation="y = activation(LN(φ(W x + b)) Eᵀ + c)",
    tags=("masking",),
    example=Example({"vocabulary_size": 6, "intermediate_activation": "gelu"}, shape=(5, 4)),
    exemptions={
        "onnx_equal": "tf2onnx has no `erfc`, with which TensorFlow computes the exact GELU",
    },
)
class MaskedLMHead(keras.layers.Layer):
    """Masked language model head: scores of all tokens at the steps that were masked out.

    The last layer when an encoder is trained to guess hidden tokens. Only the steps whose
    positions are given are computed, usually 15 % of them. For next-token prediction
    `keras.layers.ReversibleEmbedding` or `keras.layers.Dense` do.

    Maths:
        `y[n, m] = LN(φ(W x[n, p[n, m]] + b)) Eᵀ + c`, with positions `p`,
        `φ` = `intermediate_activation` and `E` the token embeddings, then `activation`.

    Args:
        vocabulary_size: Number of tokens, an integer in [1, inf), or None with `token_embedding`.
        token_embedding: The model's `keras.layers.Embedding` layer, whose weights then are `E`, or
            None for `E` of its own. Saved in one functional model, both share them again.
        intermediate_activation: `φ`, a Keras activation by name, or a function.
        activation: Activation of the scores, a Keras activation by name, a function, or None for
            logits.
        layer_norm_epsilon: Added to the variance in `LN`, a number in (0, inf).
        kernel_initializer: Initializer of `W`, and of `E` unless given.
        bias_initializer: Initializer of `b` and `c`.

    Shapes:
        Input `(batch, steps, features)` and optionally `mask_positions`, integers
        `(batch, masked)`; output `(batch, masked, vocabulary_size)`, or of all steps.

    Behaviour:
        Training and inference are the same. Deterministic. A mask is passed on, with positions
        that of their steps. Give unused positions a padded step, or a `sample_weight` of 0.

    Example:
        >>> head = MaskedLMHead(vocabulary_size=2, kernel_initializer="identity")
        >>> x = ops.convert_to_tensor([[[1.0, 0.0], [0.0, 5.0]]])
        >>> y = head(x, mask_positions=ops.convert_to_tensor([[1]]))
        >>> print(ops.convert_to_numpy(y).round(3))
        [[[-1.  1.]]]
    """

    def __init__(
        self,
        vocabulary_size: int | None = None,
        token_embedding: keras.layers.Layer | None = None,
        intermediate_activation: KerasObject = "relu",
        activation: KerasObject | None = None,
        layer_norm_epsilon: float = 1e-5,
        kernel_initializer: KerasObject = "glorot_uniform",
        bias_initializer: KerasObject = "zeros",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.vocabulary_size = checks.integer(
            self, "vocabulary_size", vocabulary_size, "[1, inf)", optional=True
        )
        optional = (keras.layers.Embedding, type(None))
        self.token_embedding = checks.instance(
            self, "token_embedding", token_embedding, optional, "a keras.layers.Embedding or None"
        )
        self.intermediate_activation = checks.activation(
            self, "intermediate_activation", intermediate_activation
        )
        self.activation = checks.activation(self, "activation", activation)
        self.layer_norm_epsilon = checks.number(
            self, "layer_norm_epsilon", layer_norm_epsilon, "(0, inf)"
        )
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)
        self.bias_initializer = checks.initializer(self, "bias_initializer", bias_initializer)
        self._tokens = token_embedding.input_dim if token_embedding else vocabulary_size
        if self._tokens is None or vocabulary_size not in (None, self._tokens):
            rule = "that of `token_embedding`" if token_embedding else "given"
            raise checks.error(self, "vocabulary_size", rule, vocabulary_size)
        self.supports_masking = True

    def build(self, x_shape: Shape, mask_positions_shape: Shape | None = None) -> None:
        checks.rank(self, x_shape, 3, "(batch, steps, features)")
        features = checks.known_axis(self, x_shape, -1, "features")
        self.input_spec = keras.layers.InputSpec(ndim=3, axes={-1: features})
        e = self.token_embedding
        width = features if e is None else e.output_dim
        self._dense = keras.layers.Dense(
            width,
            self.intermediate_activation,
            kernel_initializer=redrawn(self.kernel_initializer),
            bias_initializer=redrawn(self.bias_initializer),
            dtype=self.dtype_policy,
            name="dense",
        )
        self._norm = keras.layers.LayerNormalization(
            epsilon=self.layer_norm_epsilon, dtype=self.dtype_policy, name="norm"
        )
        self._dense.build(x_shape)
        self._norm.build((*x_shape[:-1], width))
        if e is None:
            shape, init = (self._tokens, features), redrawn(self.kernel_initializer)
            self._E = self.add_weight(shape, init, name="embeddings")
        elif not e.built:
            e.build()
        self._c = self.add_weight((self._tokens,), self.bias_initializer, name="bias")

    def call(self, x: Tensor, mask_positions: Tensor | None = None) -> Tensor:
        mask, x = mask_of(x), ops.cast(x, self.compute_dtype)
        if mask_positions is not None:
            positions = ops.cast(mask_positions, "int32")
            x = ops.take_along_axis(x, ops.expand_dims(positions, -1), axis=1)
        x = self._norm(self._dense(x))
        e = self._E if self.token_embedding is None else self.token_embedding.embeddings
        y = ops.matmul(x, ops.transpose(ops.cast(e, x.dtype)))
        y = self.activation(ops.add(y, self._c))
        if mask is None or mask_positions is None:
            return y
        return with_mask(y, ops.take_along_axis(mask, positions, axis=1))

    def compute_output_shape(
        self, x_shape: Shape, mask_positions_shape: Shape | None = None
    ) -> Shape:
        steps = x_shape if mask_positions_shape is None else mask_positions_shape
        return (x_shape[0], steps[1], self._tokens)
