from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Int, Paper
from kcatalog.layers.redrawn import redrawn
from kcatalog.ops.positions import angles
from kcatalog.registry import component
from kcatalog.types import KerasObject, Shape, Tensor


@component(
    paper=Paper(
        "Scalable Diffusion Models with Transformers",
        "Peebles, Xie",
        2022,
        "https://arxiv.org/abs/2212.09748",
        "section 3.2; sinusoids of Ho et al. 2020, appendix B",
    ),
    space={"embedding_dim": Int(16, 1024, log=True)},
    example=Example({"embedding_dim": 3, "frequency_dim": 6, "max_period": 50.0}, shape=(1,)),
)
class TimestepEmbedding(keras.layers.Layer):
    """Embedding of a diffusion model's time step: sinusoids and a small network.

    Tells a denoising network how noisy its input is. For the positions of a sequence use
    `SinusoidalPositionEncoding`.

    Maths:
        `y = W₂ φ(W₁ s + b₁) + b₂`, with `s = (cos(t f), sin(t f))`,
        `f[i] = max_period^(-2 i / frequency_dim)` and `φ` = `activation`.

    Args:
        embedding_dim: Number of outputs and of hidden units, an integer in [1, inf).
        frequency_dim: Length of `s`, an integer in [2, inf), even.
        max_period: The longest wave takes almost `2 π max_period` steps, a number in (0, inf).
        activation: `φ`, a Keras activation by name, or a function.
        kernel_initializer: Initializer of `W₁` and `W₂`.
        bias_initializer: Initializer of `b₁` and `b₂`.

    Shapes:
        Input `(batch,)` or `(batch, 1)`, integers or real numbers; output `(batch, embedding_dim)`.

    Behaviour:
        Training and inference are the same. Deterministic. Steps and angles stay in float32 under a
        mixed policy.

    Example:
        Without an activation and with identity kernels the sinusoids are left:

        >>> layer = TimestepEmbedding(
        ...     2, frequency_dim=2, activation=None, kernel_initializer="identity"
        ... )
        >>> print(ops.convert_to_numpy(layer(ops.convert_to_tensor([0.0, 1.0]))).round(4))
        [[1.     0.    ]
         [0.5403 0.8415]]
    """

    def __init__(
        self,
        embedding_dim: int,
        frequency_dim: int = 256,
        max_period: float = 10000.0,
        activation: KerasObject = "silu",
        kernel_initializer: KerasObject = "glorot_uniform",
        bias_initializer: KerasObject = "zeros",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.embedding_dim = checks.integer(self, "embedding_dim", embedding_dim, "[1, inf)")
        self.frequency_dim = checks.integer(self, "frequency_dim", frequency_dim, "[2, inf)")
        if frequency_dim % 2:
            raise checks.error(self, "frequency_dim", "even", frequency_dim)
        self.max_period = checks.number(self, "max_period", max_period, "(0, inf)")
        self.activation = checks.activation(self, "activation", activation)
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)
        self.bias_initializer = checks.initializer(self, "bias_initializer", bias_initializer)
        self.autocast = False  # half precision confuses steps beyond 2048

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) not in (1, 2) or (len(input_shape) == 2 and input_shape[1] != 1):
            raise checks.error(self, "input_shape", "(batch,) or (batch, 1)", tuple(input_shape))
        self.input_spec = keras.layers.InputSpec(max_ndim=2)
        self._hidden = self._dense(self.frequency_dim, "hidden", self.activation)
        self._output = self._dense(self.embedding_dim, "output")

    def _dense(self, features, name, activation=None):
        layer = keras.layers.Dense(
            self.embedding_dim,
            activation,
            kernel_initializer=redrawn(self.kernel_initializer),
            bias_initializer=redrawn(self.bias_initializer),
            dtype=self.dtype_policy,
            name=name,
        )
        layer.build((None, features))
        return layer

    def call(self, x: Tensor) -> Tensor:
        a = angles(ops.reshape(x, (-1,)), self.frequency_dim, self.max_period)
        s = ops.concatenate([ops.cos(a), ops.sin(a)], axis=-1)
        return self._output(self._hidden(ops.cast(s, self.compute_dtype)))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.embedding_dim)
