from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.layers.redrawn import redrawn
from kcatalog.ops.attention_pooling import attention_pooling
from kcatalog.ops.precision import as_floats
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "Set Transformer: A Framework for Attention-based Permutation-Invariant Neural Networks",
        "Lee, Lee, Kim, Kosiorek, Choi, Teh",
        2019,
        "https://arxiv.org/abs/1810.00825",
        "section 3.2",
    ),
    equation="y = h + FF(LN(h)),  h = Wₒ · heads of softmax(q (x W_k)ᵀ / √d) (x W_v)",
    tags=("masking",),
    space={"num_heads": Choice(1, 2, 4), "num_queries": Choice(1, 4)},
    example=Example({"num_heads": 2, "num_queries": 3, "intermediate_dim": 5}, shape=(5, 4)),
    exemptions={
        "onnx_equal": "tf2onnx has no `erfc`, with which TensorFlow computes the exact GELU",
    },
)
class AttentionPooling1D(keras.layers.Layer):
    """Pooling of a sequence or set by attention, with queries that are learned.

    Each head of a query decides which steps count. The head of many vision and text encoders (MAP,
    multi-head attention pooling), where a mean would drown what matters. Steps have no order here:
    add positions before, if order matters.

    Maths:
        `a = softmax(q (x W_k)ᵀ / √d)` for each of the `num_heads` heads, with `q` the learned query
        and `d = features / num_heads`; `h = Wₒ [a (x W_v + b_v)] + bₒ`, the heads side by side;
        `y = h`, or `y = h + FF(LN(h))` with `intermediate_dim`, where
        `FF(h) = W₂ δ(W₁ h + b₁) + b₂` and `δ` = `activation`. A linear map of the query would be
        redundant and is left out.

    Args:
        num_heads: Number of heads, an integer in [1, inf) that divides the features.
        num_queries: Number of queries, an integer in [1, inf).
        intermediate_dim: Hidden units of `FF`, an integer in [1, inf), or None for none.
        activation: `δ`, a Keras activation by name, or a function.
        epsilon: Added to the variance in the layer normalization LN, a number in (0, inf).
        use_bias: Whether there are the biases.
        query_initializer: Initializer of the queries.
        kernel_initializer: Initializer of the kernels.

    Shapes:
        Input `(batch, steps, features)`; output `(batch, features)` for one query,
        `(batch, num_queries, features)` for more.

    Behaviour:
        Training and inference are the same. Deterministic. Masked steps do not count; a row of
        padding only gives what the biases give. The mask ends here.

    Example:
        With kernels of zeros all steps weigh the same:

        >>> layer = AttentionPooling1D(use_bias=False)
        >>> layer.build((None, 2, 1))
        >>> query, key, value, output = layer.weights
        >>> _ = [w.assign(keras.ops.ones(w.shape)) for w in (query, value, output)]
        >>> _ = key.assign(keras.ops.zeros(key.shape))
        >>> y = layer(keras.ops.convert_to_tensor([[[1.0], [3.0]]]))
        >>> print(keras.ops.convert_to_numpy(y).round(3))
        [[2.]]
    """

    def __init__(
        self,
        num_heads: int = 1,
        num_queries: int = 1,
        intermediate_dim: int | None = None,
        activation: KerasObject = "gelu",
        epsilon: float = 1e-5,
        use_bias: bool = True,
        query_initializer: KerasObject = "glorot_uniform",
        kernel_initializer: KerasObject = "glorot_uniform",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_heads = checks.integer(self, "num_heads", num_heads, "[1, inf)")
        self.num_queries = checks.integer(self, "num_queries", num_queries, "[1, inf)")
        self.intermediate_dim = checks.integer(
            self, "intermediate_dim", intermediate_dim, "[1, inf)", optional=True
        )
        self.activation = checks.activation(self, "activation", activation)
        self.epsilon = checks.number(self, "epsilon", epsilon, "(0, inf)")
        self.use_bias = checks.boolean(self, "use_bias", use_bias)
        self.query_initializer = checks.initializer(self, "query_initializer", query_initializer)
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        checks.rank(self, input_shape, 3, "(batch, steps, features)")
        features = checks.known_axis(self, input_shape, -1, "features")
        if features % self.num_heads:
            rule = f"a shape whose features are a multiple of num_heads={self.num_heads}"
            raise checks.error(self, "input_shape", rule, tuple(input_shape))
        self.input_spec = keras.layers.InputSpec(ndim=3, axes={-1: features})
        heads = (self.num_heads, features // self.num_heads)
        query = (self.num_queries, features)
        self._q = self.add_weight(query, self.query_initializer, name="query")
        self._W_k = self._kernel((features, *heads), "key")
        self._W_v, self._b_v = self._kernel((features, *heads), "value"), self._bias(heads, "value")
        self._W_o = self._kernel((features, features), "output")
        self._b_o = self._bias((features,), "output")
        self._norm = None
        if self.intermediate_dim is not None:
            units = self.intermediate_dim
            self._norm = keras.layers.LayerNormalization(
                epsilon=self.epsilon, dtype=self.dtype_policy, name="normalization"
            )
            self._norm.build((None, self.num_queries, features))
            self._W_1, self._b_1 = self._kernel((features, units), "1"), self._bias((units,), "1")
            self._W_2 = self._kernel((units, features), "2")
            self._b_2 = self._bias((features,), "2")

    def _kernel(self, shape, name):
        return self.add_weight(shape, redrawn(self.kernel_initializer), name=f"kernel_{name}")

    def _bias(self, shape, name):
        return self.add_weight(shape, "zeros", name=f"bias_{name}") if self.use_bias else None

    def call(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = as_floats(x, self.compute_dtype)
        q = ops.reshape(self._q, (self.num_queries, self.num_heads, -1))
        heads = attention_pooling(x, q, self._W_k, self._W_v, self._b_v, mask)
        h = ops.reshape(heads, (-1, self.num_queries, x.shape[-1]))
        y = _dense(h, self._W_o, self._b_o)
        if self._norm is not None:
            hidden = self.activation(_dense(self._norm(y), self._W_1, self._b_1))
            y = y + ops.cast(_dense(hidden, self._W_2, self._b_2), y.dtype)
        return y[:, 0] if self.num_queries == 1 else y

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, _, features = input_shape
        queries = () if self.num_queries == 1 else (self.num_queries,)
        return (batch, *queries, features)

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor | None:
        return None


def _dense(x, W, b):
    y = ops.matmul(x, W)
    return y if b is None else ops.add(y, b)
