from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Int, Paper
from kcatalog.layers.recurrent.linear_recurrent import LinearRecurrent, held
from kcatalog.registry import component
from kcatalog.types import KerasObject, Tensor


@component(
    paper=Paper(
        "Quasi-Recurrent Neural Networks",
        "Bradbury, Merity, Xiong, Socher",
        2017,
        "https://arxiv.org/abs/1611.01576",
        "equations 1 to 5, section 2.1",
    ),
    equation="c[t] = f c[t-1] + (1 - f) φ(W x[t-1, t]),  h[t] = o c[t]",
    tags=("recurrent", "masking"),
    space={
        "units": Int(8, 256, log=True),
        "kernel_size": Int(1, 6),
        "pooling": Choice("f", "fo", "ifo"),
        "zoneout": Float(0.0, 0.5),
        "dropout": Float(0.0, 0.5),
    },
    example=Example(
        {"units": 4, "kernel_size": 3, "pooling": "ifo", "return_sequences": True}, shape=(5, 3)
    ),
)
class QRNN(LinearRecurrent):
    """Quasi-recurrent layer: a causal convolution computes the gates, a pooling remembers.

    Several times faster than `keras.layers.LSTM` on long sequences. Each gate sees the last
    `kernel_size` inputs, so that a word can be read beside its neighbours. A stack of two to
    four, with skip connections, takes the place of an LSTM.

    Maths:
        `c[t] = f c[t-1] + (1 - f) z`, `h[t] = o c[t]`, with `z = φ(W_z X + b_z)`,
        `f = σ(W_f X + b_f)`, `o = σ(W_o X + b_o)` and `X = x[t - kernel_size + 1], ..., x[t]`.
        That is `pooling="fo"`; with `"f"`, `h = c`; with `"ifo"`, `c[t] = f c[t-1] + i z` for an
        input gate `i` like the others. `W` = `[W_z, W_f, W_o, W_i]`, as far as there are.

    Args:
        kernel_size: How many inputs, up to its own step's, a gate sees, an integer in [1, inf).
        pooling: `"f"`, `"fo"` or `"ifo"`: the gates that there are.
        zoneout: Probability that a unit keeps its state at a step, a number in [0, 1).

    Shapes:
        Input `(batch, steps, features)`; output `(batch, units)` or `(batch, steps, units)`;
        with `return_state=True` also `c`, `(batch, units)`, and with a `kernel_size` over 1 the
        last inputs, newest first, `(batch, (kernel_size - 1) features)`.

    Behaviour:
        Dropout acts in training only, with one mask for all steps of a sequence. So does zoneout,
        with a mask for each step; at inference `1 - f` is scaled by `1 - zoneout`. A masked step
        keeps the state, repeats the last output, and is not seen by later ones. The recurrence is
        computed in float32 or wider.

    Example:
        Weights of zero make z = tanh(0.5493) = 0.5, and both gates 0.5:

        >>> layer = QRNN(1, kernel_initializer="zeros", return_sequences=True)
        >>> layer.build((1, 2, 1))
        >>> layer.set_weights([ops.zeros((2, 3)), ops.array([0.5493061, 0.0, 0.0])])
        >>> [round(float(h), 4) for h in layer(ops.ones((1, 2, 1)))[0, :, 0]]
        [0.125, 0.1875]
    """

    def __init__(
        self,
        units: int,
        kernel_size: int = 2,
        pooling: str = "fo",
        activation: KerasObject | None = "tanh",
        *,
        zoneout: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(units, activation, **kwargs)
        self.kernel_size = checks.integer(self, "kernel_size", kernel_size, "[1, inf)")
        self.pooling = checks.choice(self, "pooling", pooling, ("f", "fo", "ifo"))
        self.zoneout = checks.number(self, "zoneout", zoneout, "[0, 1)")
        self.kernels = 1 + len(pooling)

    def add_weights(self, features: int) -> None:
        super().add_weights(self.kernel_size * features)
        if self.kernel_size > 1:
            self._past_sizes = ((self.kernel_size - 1) * features,)
            self.state_size = [self.units, *self._past_sizes]

    def look_back(self, x: Tensor, past: list[Tensor], mask: Tensor) -> tuple[Tensor, list[Tensor]]:
        if self.kernel_size == 1:
            return x, past
        windows, last = [x], []
        for before in ops.split(past[0], self.kernel_size - 1, axis=-1):
            newest = windows[-1] if mask is None else held(windows[-1], mask, before)
            windows.append(ops.concatenate([before[:, None], newest[:, :-1]], axis=1))
            last.append(newest[:, -1])
        return ops.concatenate(windows, axis=-1), [ops.concatenate(last, axis=-1)]

    def gates(self, x: Tensor, training: bool | None) -> tuple[Any, ...]:
        z, f, *oi = self.project(x)
        z, f, *oi = self.activation(z), *(ops.sigmoid(v) for v in (f, *oi))
        a, b = f, (oi[1] if self.pooling == "ifo" else 1 - f) * z
        if self.zoneout:
            moves = 1 - self.zoneout
            if training:  # 0 or 1: dropout without its scaling
                ones = ops.ones_like(f)
                moves = moves * keras.random.dropout(ones, self.zoneout, seed=self._seed_generator)
            a, b = 1 - moves * (1 - f), moves * b
        return a, b, *oi[:1]

    def output(self, c: Tensor, o: Tensor = 1) -> Tensor:
        return o * c
