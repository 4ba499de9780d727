import keras
from keras import ops

from kcatalog.card import Example, Paper
from kcatalog.ops.labels import signs
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.samples import mean_over_outputs
from kcatalog.registry import component


@component(
    paper=Paper(
        "Solving Large Scale Linear Prediction Problems Using Stochastic Gradient Descent "
        "Algorithms",
        "Zhang",
        2004,
        "https://doi.org/10.1145/1015330.1015332",
        "modified Huber loss",
    ),
    equation="l = max(0, 1 - z)² for z ≥ -1, else -4 z; z = y s",
    example=Example(shape=(4,), targets="binary"),
)
class ModifiedHuber(keras.losses.Loss):
    """Squared hinge loss for two classes, growing only in proportion for outliers.

    Smooth, robust, and the one hinge here whose scores mean probabilities: at the optimum
    `s = 2 p - 1`, so `(clip(s, -1, 1) + 1) / 2` estimates the chance of the positive class. Take
    binary cross-entropy where fine distinctions near 0 or 1 matter.

    Maths:
        With `z = y s`: `l = max(0, 1 - z)²` for `z ≥ -1`, and `-4 z` below; `s` = `y_pred` and
        `y` = `y_true` as -1/+1. Value and slope meet at -1.

    Shapes:
        `y_true`: 0/1 or -1/+1, as `y_pred`; a last axis of 1 may be left out.
        `y_pred`: scores `(batch, ..., outputs)` or `(batch,)`. Unreduced: `(batch, ...)`, the mean
        over the outputs, as in Keras's hinges.

    Behaviour:
        Each sample on its own: a label above 0 is the positive class, any other the negative.
        Half precision is computed in float32.

    Example:
        A sample short of the margin by 1.5, squared, and an outlier on the line:

        >>> loss = ModifiedHuber(reduction="sum")
        >>> y_true = keras.ops.convert_to_tensor([1, 0])
        >>> float(loss(y_true, keras.ops.convert_to_tensor([-0.5, 3.0])))
        14.25
    """

    def call(self, y_true, y_pred):
        s = at_least_float32(y_pred)
        u = ops.relu(1 - signs(y_true, s) * s)
        q = ops.minimum(u, 2.0)  # q = u on the parabola, q = 2 on the line
        return mean_over_outputs(q * (2 * u - q))
