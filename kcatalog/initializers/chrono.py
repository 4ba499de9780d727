import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Int, Paper
from kcatalog.ops import seeds
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "Can Recurrent Neural Networks Warp Time?",
        "Tallec, Ollivier",
        2018,
        "https://arxiv.org/abs/1804.11188",
        "equation 16",
    ),
    equation="b_f = log U[1, T - 1],  b_i = -b_f",
    tags=("bias",),
    space={"max_steps": Int(10, 1000, log=True)},
    example=Example({"max_steps": 100, "units": 5, "seed": 7}, shape=(20,)),
)
class Chrono(keras.initializers.Initializer):
    """Chrono initialization of the gates of an LSTM or GRU: forget times spread up to `max_steps`.

    A gate that keeps `σ(b)` of its state each step forgets in about `1 + eᵇ` steps. Drawing these
    times evenly up to the longest dependency expected gives a net that can learn it from
    the start, where the usual bias of 1 forgets within four steps. For short dependencies
    it gains nothing. Give it to the layer with `unit_forget_bias=False`:
    `keras.layers.LSTM(64, bias_initializer=Chrono(784, 64), unit_forget_bias=False)`.

    Maths:
        LSTM: `b_f = log u`, `b_i = -b_f`, other biases 0, with `u` drawn evenly from [1, T - 1] for
        each unit and `T` = `max_steps`. GRU: Keras's update gate `z` keeps the state where the
        paper's replaces it, so `b_z = log u`, other biases 0.

    Args:
        max_steps: `T`, the longest dependency expected, in steps, an integer in [2, inf).
        units: The layer's units, an integer in [1, inf). They tell an LSTM's bias (4 gates) from
            a GRU's (3), and from pieces of one.
        seed: An integer, a `keras.random.SeedGenerator`, or None for one drawn at construction.

    Shapes:
        `(4 * units,)` for gates i, f, c, o of an LSTM; `(3 * units,)` for gates z, r, h of a GRU,
        or `(2, 3 * units)` with its `reset_after=True`, where the second row, the recurrent
        bias, is zero.

    Behaviour:
        Like Keras's own: the same initializer with an integer seed or None draws the same values
        each time. An LSTM with `unit_forget_bias=True`, Keras's default, asks for pieces of
        its bias and sets the forget gate's itself: that is an error here.

    Example:
        At T = 2 every time is 1 step; beyond it forget and input gate mirror each other:

        >>> float(keras.ops.max(keras.ops.abs(Chrono(2, 3)((12,)))))
        0.0
        >>> b = Chrono(100, 1, seed=0)((4,))
        >>> float(b[1]) > 0, float(b[0] + b[1]), float(b[2]), float(b[3])
        (True, 0.0, 0.0, 0.0)
    """

    def __init__(
        self, max_steps: int, units: int, seed: int | keras.random.SeedGenerator | None = None
    ):
        self.max_steps = checks.integer(self, "max_steps", max_steps, "[2, inf)")
        self.units = checks.integer(self, "units", units, "[1, inf)")
        self.seed = seeds.seed(self, seed)
        self._drawn_seed = seeds.drawn(seed)

    def __call__(self, shape: Shape, dtype: str | None = None) -> Tensor:
        shape, units = tuple(shape), self.units
        lstm, gru = shape == (4 * units,), shape in ((3 * units,), (2, 3 * units))
        if not lstm and not gru:
            rule = f"({4 * units},) for an LSTM, ({3 * units},) or (2, {3 * units}) for a GRU"
            fix = f"Check units={units}, and give an LSTM unit_forget_bias=False."
            raise checks.error(self, "shape", f"{rule} of {units} units", shape, fix)
        dtype = dtype or keras.config.floatx()
        u = keras.random.uniform((units,), 1, self.max_steps - 1, "float32", self._drawn_seed)
        b = ops.cast(ops.log(u), dtype)
        zeros = ops.zeros((units,), dtype)
        if lstm:
            return ops.concatenate([-b, b, zeros, zeros])
        b = ops.concatenate([b, zeros, zeros])
        return b if len(shape) == 1 else ops.stack([b, ops.zeros_like(b)])
