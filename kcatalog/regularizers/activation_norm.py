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
        "section 2.1",
    ),
    tags=("penalty", "activity"),
    space={"factor": Float(0.01, 10.0, log=True)},
    example=Example({"factor": 0.5}, shape=(4, 5, 3)),
)
class ActivationNorm(keras.regularizers.Regularizer):
    """Activation regularization (AR): the mean square of a layer's outputs.

    For the outputs of a recurrent layer, where weight decay harms the recurrent kernel: small
    outputs stay where the gates are sensitive. An `activity_regularizer`, with
    `kcatalog.regularizers.TemporalActivation` on the same layer for TAR. Unlike
    `keras.regularizers.L2` it does not depend on the numbers of steps and units.

    Maths:
        `Ω = α mean(h²)` over all outputs `h`, with `α` = `factor`.

    Args:
        factor: `α`, a number in [0, inf). The paper takes 2 to 5 for language models.

    Shapes:
        Outputs `(batch, ...)`. The penalty is `batch Ω`, since Keras divides the penalty of an
        `activity_regularizer` by the batch size.

    Behaviour:
        Differs from the paper, as its authors' code does: a mean of squares where the formula has
        a norm. The outputs are those of the layer, before dropout where dropout is a
        layer of its own; give the penalty to the `Dropout` for the paper's. Keras passes no mask
        on: padding counts. Half precision is computed in float32.

    Example:
        Two samples, each with the mean square (1 + 9) / 2:

        >>> h = keras.ops.convert_to_tensor([[1.0, 3.0], [3.0, 1.0]])
        >>> float(ActivationNorm(factor=1.0)(h)) / 2
        5.0
    """

    def __init__(self, factor: float = 1.0):
        self.factor = checks.number(self, "factor", factor, "[0, inf)")

    def __call__(self, h: Tensor) -> Tensor:
        h = at_least_float32(h)
        batch = ops.cast(ops.shape(h)[0], h.dtype)
        return self.factor * batch * ops.mean(ops.square(h))
