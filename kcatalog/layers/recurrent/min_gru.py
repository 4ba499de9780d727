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
        "section 3.1",
    ),
    equation="h[t] = (1 - z) h[t-1] + z φ(Wₕ x[t] + bₕ),  z = σ(W₂ x[t] + b₂)",
    tags=("recurrent", "masking"),
    space={
        "units": Int(8, 256, log=True),
        "dropout": Float(0.0, 0.5),
        "recurrent_dropout": Float(0.0, 0.5),
    },
    example=Example({"units": 4, "activation": "tanh", "return_sequences": True}, shape=(5, 3)),
)
class MinGRU(LinearRecurrent):
    """Minimal GRU: a GRU whose gate sees the input only, so that no step waits for another.

    Several times faster than `keras.layers.GRU` on long sequences, with about a third of its
    weights. What a gate should do has to stand in the input of its own step, so stack two or
    three of these, with `Dense` layers between them, where one GRU would do.

    Maths:
        `h[t] = (1 - z[t]) h[t-1] + z[t] φ(Wₕ x[t] + bₕ)`, with the update gate
        `z[t] = σ(W₂ x[t] + b₂)`, `φ` = `activation`, and `W` = `[W₂, Wₕ]`, `b` alike.

    Example:
        A weight of zero makes the gate σ(0) = 0.5 and the candidate φ(0 + 2) = 2:

        >>> layer = MinGRU(1, return_sequences=True)
        >>> layer.build((1, 3, 1))
        >>> layer.set_weights([ops.zeros((1, 2)), ops.array([0.0, 2.0])])
        >>> [float(h) for h in layer(ops.ones((1, 3, 1)))[0, :, 0]]
        [1.0, 1.5, 1.75]
    """

    def gates(self, x: Tensor, training: bool | None) -> tuple[Any, ...]:
        z, candidate = self.project(x)
        z = ops.sigmoid(z)
        return 1 - z, z * self.activation(candidate)
