import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.ops.precision import at_least_float32
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Revisiting Activation Regularization for Language RNNs",
        "Merity, McCann, Socher",
        2017,
        "https://arxiv.org/abs/1708.01009",
        "section 2.2",
    ),
    tags=("penalty", "activity"),
    space={"factor": Float(0.01, 10.0, log=True)},
    example=Example({"factor": 0.5}, shape=(4, 5, 3)),
)
class TemporalActivation(keras.regularizers.Regularizer):
    """Temporal activation regularization (TAR): how far outputs move from step to step.

    For recurrent layers whose state should change slowly, as the meaning of a text does. An
    `activity_regularizer` of a layer with `return_sequences=True`. Do not use it where the task is
    about abrupt changes.

    Maths:
        `Ω = β mean((h_{t+1} - h_t)²)` over steps and units, with `β` = `factor`.

    Args:
        factor: `β`, a number in [0, inf). The paper takes 1 to 3 for language models.

    Shapes:
        Outputs `(batch, steps, ..., units)`. The penalty is `batch Ω`, since Keras divides the
        penalty of an `activity_regularizer` by the batch size.

    Behaviour:
        Differs from the paper, as its authors' code does: a mean of squares where the formula has
        a norm. A single step pays nothing. Keras passes no mask on: masked steps of a
        recurrent layer repeat the last output, so they pay nothing but count in the mean. Half
        precision is computed in float32.

    Example:
        >>> h = keras.ops.convert_to_tensor([[[1.0], [3.0], [3.0]]])
        >>> float(TemporalActivation(factor=1.0)(h))
        2.0
    """

    def __init__(self, factor: float = 1.0):
        self.factor = checks.number(self, "factor", factor, "[0, inf)")

    def __call__(self, h: Tensor) -> Tensor:
        h = at_least_float32(h)
        if len(h.shape) < 3:
            rule, fix = "(batch, steps, ..., units)", "Give the layer return_sequences=True."
            raise checks.error(self, "shape", rule, tuple(h.shape), fix)
        batch = ops.cast(ops.shape(h)[0], h.dtype)
        square = ops.square(h[:, 1:] - h[:, :-1])
        count = ops.cast(ops.size(square), h.dtype)
        return self.factor * batch * ops.sum(square) / ops.maximum(count, 1)
