import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "A Simple Way to Initialize Recurrent Networks of Rectified Linear Units",
        "Le, Jaitly, Hinton",
        2015,
        "https://arxiv.org/abs/1504.00941",
        "section 2",
    ),
    space={"scale": Float(0.01, 1.0, log=True)},
    example=Example({"scale": 0.5}, shape=(4, 12)),
)
class IdentityRecurrent(keras.initializers.Initializer):
    """Identity for recurrent kernels (IRNN): a state that stays as it is until training moves it.

    With ReLU and a bias of zero, a simple recurrent layer then adds up its inputs, and neither
    state nor gradient grows or vanishes: `keras.layers.SimpleRNN(64, "relu",
    recurrent_initializer=IdentityRecurrent())`. A smaller scale forgets, which the paper takes for
    tasks without long memory. Training needs gradient clipping and a small learning rate; an
    LSTM or GRU with `kcatalog.initializers.Chrono` is less delicate.

    Maths:
        `W = s I`, with `s` = `scale`. Of a kernel with several gates, `W = [s I, s I, …]`.

    Args:
        scale: `s`, a number in [0, inf). The paper takes 1, and 0.01 for short memory.

    Shapes:
        `(units, gates * units)`, where a simple recurrent layer has one gate.

    Behaviour:
        Deterministic. `keras.initializers.Identity` takes square kernels alone.

    Example:
        >>> for row in IdentityRecurrent(scale=0.5)((2, 4)):
        ...     print([float(v) for v in row])
        [0.5, 0.0, 0.5, 0.0]
        [0.0, 0.5, 0.0, 0.5]
    """

    def __init__(self, scale: float = 1.0):
        self.scale = checks.number(self, "scale", scale, "[0, inf)")

    def __call__(self, shape: Shape, dtype: str | None = None) -> Tensor:
        shape = tuple(shape)
        if len(shape) != 2 or shape[0] == 0 or shape[1] % shape[0]:
            rule = "(units, gates * units)"
            raise checks.error(self, "shape", rule, shape, "Give it to a recurrent kernel.")
        units, columns = shape
        identity = ops.eye(units, dtype=dtype or keras.config.floatx())
        return ops.tile(self.scale * identity, (1, columns // units))
