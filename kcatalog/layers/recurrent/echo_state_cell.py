from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Int, Paper
from kcatalog.layers.recurrent.recurrent_cell import RecurrentCell
from kcatalog.layers.recurrent.recurrent_options import DropoutOptions
from kcatalog.registry import component
from kcatalog.types import KerasObject, Tensor


class EchoStateOptions(DropoutOptions):
    """Arguments of the echo state network.

    Args:
        units: Number of units in the reservoir, an integer in [1, inf).
        connectivity: Probability that a unit sees another, a number in [0, 1].
        leaky: `α`, the part of the state that is new at each step, a number in [0, 1].
        spectral_radius: Largest absolute eigenvalue of `U`, a number in [0, inf). Below 1 the
            past fades.
        use_norm2: Whether to scale `U` by its Frobenius norm instead, which is at least as large
            as its spectral radius: the past fades faster.
        use_bias: Whether there is the bias `b`.
        activation: `φ`, a Keras activation by name, a function, or None for the identity.
        kernel_initializer: Initializer of `W`.
        recurrent_initializer: Initializer of `U`, before connections are cut and it is scaled.
        bias_initializer: Initializer of `b`.
    """

    def __init__(
        self,
        units: int,
        connectivity: float = 0.1,
        leaky: float = 1.0,
        spectral_radius: float = 0.9,
        use_norm2: bool = False,
        use_bias: bool = True,
        activation: KerasObject = "tanh",
        kernel_initializer: KerasObject = "glorot_uniform",
        recurrent_initializer: KerasObject = "glorot_uniform",
        bias_initializer: KerasObject = "zeros",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.units = checks.integer(self, "units", units, "[1, inf)")
        self.connectivity = checks.number(self, "connectivity", connectivity, "[0, 1]")
        self.leaky = checks.number(self, "leaky", leaky, "[0, 1]")
        self.spectral_radius = checks.number(self, "spectral_radius", spectral_radius, "[0, inf)")
        self.use_norm2 = checks.boolean(self, "use_norm2", use_norm2)
        self.use_bias = checks.boolean(self, "use_bias", use_bias)
        self.activation = checks.activation(self, "activation", activation)
        self.kernel_initializer = checks.initializer(self, "kernel_initializer", kernel_initializer)
        self.recurrent_initializer = checks.initializer(
            self, "recurrent_initializer", recurrent_initializer
        )
        self.bias_initializer = checks.initializer(self, "bias_initializer", bias_initializer)


@component(
    paper=Paper(
        'The "echo state" approach to analysing and training recurrent neural networks',
        "Jaeger",
        2001,
        "https://www.ai.rug.nl/minds/uploads/EchoStatesTechRep.pdf",
    ),
    tags=("cell", "recurrent"),
    space={
        "units": Int(32, 1024, log=True),
        "spectral_radius": Float(0.5, 1.2),
        "leaky": Choice(0.1, 0.3, 1.0),
    },
    example=Example({"units": 4, "connectivity": 0.8, "leaky": 0.6}, shape=(5, 3)),
)
class EchoStateCell(EchoStateOptions, RecurrentCell):
    """One step of an echo state network: a random recurrent network that is not trained.

    Only the layer that reads it, such as `keras.layers.Dense`, is trained, which takes little data
    and time. To be run by `keras.layers.RNN`; for whole sequences take `EchoState`.

    Maths:
        `h' = (1 - α) h + α φ(W x + U h + b)`, with `α` = `leaky`, `φ` = `activation`, and random
        `W`, `U`, `b`; `U` has `connectivity` of its connections and the given `spectral_radius`.

    Behaviour:
        The weights are not trainable. Dropout acts in training only, with the same mask at all
        steps that `keras.layers.RNN` takes.

    Example:
        With the radius of `U` at 0.5 the past of a linear network halves at each step:

        >>> cell = EchoStateCell(1, 1.0, spectral_radius=0.5, activation=None)
        >>> h, _ = cell(ops.zeros((1, 1)), [ops.ones((1, 1))])
        >>> print(abs(ops.convert_to_numpy(h)).round(4))
        [[0.5]]
    """

    def add_weights(self, features: int) -> None:
        n, fixed = self.units, {"trainable": False}
        self._W = self.add_weight((features, n), self.kernel_initializer, name="kernel", **fixed)
        self._U = self.add_weight((n, n), self._reservoir, name="recurrent_kernel", **fixed)
        self._b = 0.0
        if self.use_bias:
            self._b = self.add_weight((n,), self.bias_initializer, name="bias", **fixed)

    def _reservoir(self, shape, dtype=None):
        U = self.recurrent_initializer(shape, dtype)
        connected = keras.random.uniform(shape, seed=self.seed) < self.connectivity
        U = ops.where(connected, U, ops.zeros_like(U))
        size = ops.norm(U) if self.use_norm2 else spectral_radius(U)
        return ops.divide_no_nan(ops.cast(self.spectral_radius, U.dtype) * U, size)

    def step(self, x: Tensor, states: list[Tensor], p: Tensor) -> tuple[Tensor, list[Tensor]]:
        (h,) = states
        new = self.activation(ops.matmul(x, p.W) + ops.matmul(p.drop(h), p.U) + p.b)
        h = (1 - self.leaky) * h + self.leaky * new
        return h, [h]


def spectral_radius(W: Tensor) -> Tensor:
    """Return the largest absolute eigenvalue of a matrix, from the growth of its powers.

    That is Gelfand's formula, `ρ(W) = lim ‖Wⁿ‖^(1/n)`, with `n` = 65536 by squaring. It works on
    accelerators, which have no routine for eigenvalues of matrices that are not symmetric.

    >>> round(float(spectral_radius(ops.array([[0.0, 2.0], [-2.0, 0.0]]))), 3)
    2.0
    """
    log_radius = 0.0
    for i in range(17):
        size = ops.norm(W)
        log_radius = log_radius + ops.log(size) / 2**i
        W = ops.divide_no_nan(W, size)
        W = ops.matmul(W, W)
    return ops.exp(log_radius)
