from typing import Any

from keras import ops

from kcatalog.card import Example, Float, Int, Paper
from kcatalog.layers.recurrent.linear_recurrent import LinearRecurrent
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Were RNNs All We Needed?",
        "Feng, Tung, Ahmed, Bengio, Hajimirsadeghi",
        2024,
        "https://arxiv.org/abs/2410.01201",
        "section 3.2",
    ),
    tags=("recurrent", "masking"),
    space={
        "units": Int(8, 256, log=True),
        "dropout": Float(0.0, 0.5),
        "recurrent_dropout": Float(0.0, 0.5),
    },
    example=Example({"units": 4, "activation": "tanh", "return_sequences": True}, shape=(5, 3)),
)
class MinLSTM(LinearRecurrent):
    """Minimal LSTM: an LSTM whose gates see the input only, so that no step waits for another.

    Like `MinGRU`, with a forget gate and an input gate that share 1 between them: a third more
    weights, and somewhat steadier training in the paper. The same advice holds: stack several.

    Maths:
        `h[t] = f/(f + i) h[t-1] + i/(f + i) φ(Wₕ x[t] + bₕ)`, with the gates
        `f = σ(W₁ x[t] + b₁)`, `i = σ(W₂ x[t] + b₂)`, `φ` = `activation`, and
        `W` = `[W₁, W₂, Wₕ]`, `b` alike. The quotient is computed as `σ(log f - log i)`, which
        holds where both gates are too small to be told from 0.

    Example:
        The forget gate three times as open as the input gate keeps three quarters:

        >>> layer = MinLSTM(1, kernel_initializer="zeros", return_sequences=True)
        >>> layer.build((1, 2, 1))
        >>> layer.set_weights([ops.zeros((1, 3)), ops.array([30.0, -0.6931472, 4.0])])
        >>> [round(float(h), 4) for h in layer(ops.ones((1, 2, 1)))[0, :, 0]]
        [1.0, 1.75]
    """

    kernels = 3

    def gates(self, x: Tensor, training: bool | None) -> tuple[Any, ...]:
        f, i, candidate = self.project(x)
        forget = ops.sigmoid(ops.log_sigmoid(f) - ops.log_sigmoid(i))
        return forget, (1 - forget) * self.activation(candidate)
