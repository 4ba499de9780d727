import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.registry import component


@component(
    paper=Paper(
        "Speckle Phenomena in Optics", "Goodman", 2007, "https://doi.org/10.1117/3.2548484"
    ),
    tags=("shape-preserving",),
    space={"scale": Float(0.1, 10.0, log=True)},
    example=Example({"scale": 2.0}, shape=(5, 3)),
)
class Speckle(keras.layers.Layer):
    """Speckle: an input times a number, here without the noise.

    For tests of packages beside kcatalog.

    Maths:
        `y = s x`, with `s` = `scale`.

    Args:
        scale: `s`, a number in (0, inf).

    Shapes:
        The output has the input's shape.

    Behaviour:
        The same in training and at inference.

    Example:
        >>> import keras
        >>> print(float(Speckle(scale=3.0)(keras.ops.ones((1, 1)))[0, 0]))
        3.0
    """

    def __init__(self, scale=1.0, **kwargs):
        super().__init__(**kwargs)
        self.scale = checks.number(self, "scale", scale, "(0, inf)")
        self.supports_masking = True

    def call(self, x):
        return self.scale * ops.cast(x, self.compute_dtype)


class Plain(keras.losses.Loss):
    """A loss without a card: it is no part of the catalog."""

    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1)
