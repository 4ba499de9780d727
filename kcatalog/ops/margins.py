"""Softmax over similarities to classes, where the right class must win by a margin."""

import math

from keras import ops

from kcatalog import checks
from kcatalog.ops.labels import class_distribution
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.probabilities import crossentropy
from kcatalog.types import Tensor

_LAYER = "Make kcatalog.layers.Prototypes the model's last layer"


def class_similarities(owner: object, y_pred: Tensor) -> Tensor:
    """`(batch, classes)` similarities in float32 at least; `owner` is named where they are not.

    >>> tuple(class_similarities("Doc", ops.ones((2, 5))).shape)
    (2, 5)
    """
    s = at_least_float32(y_pred)
    if len(s.shape) != 2:
        fix = f"{_LAYER}, with per_class=1."
        raise checks.error(owner, "y_pred", "(batch, classes)", tuple(s.shape), fix)
    return s


def center_similarities(owner: object, y_pred: Tensor) -> Tensor:
    """`(batch, classes, per_class)` similarities; `(batch, classes)` gets `per_class` 1.

    >>> tuple(center_similarities("Doc", ops.ones((2, 5))).shape)
    (2, 5, 1)
    """
    s = at_least_float32(y_pred)
    if len(s.shape) not in (2, 3):
        rule = "(batch, classes, per_class)"
        raise checks.error(owner, "y_pred", rule, tuple(s.shape), f"{_LAYER}.")
    return s if len(s.shape) == 3 else ops.expand_dims(s, -1)


def margin_crossentropy(y_true: Tensor, s: Tensor, margin: float, scale: Tensor) -> Tensor:
    """Cross-entropy of `scale · s`, where `margin(s_y)` stands in for the right class's `s_y`.

    Args:
        y_true: class indices `(batch,)` or `(batch, 1)`, or one-hot `(batch, classes)`.
        s: `(batch, classes)`.
        margin: a function of the right similarities, `(batch, 1)`.
        scale: a number.

    >>> s = ops.convert_to_tensor([[1.0, 0.0]])
    >>> round(float(margin_crossentropy(ops.zeros((1,)), s, lambda s_y: s_y - 1.0, 5.0)[0]), 4)
    0.6931
    """
    y = class_distribution(y_true, s)
    s_y = ops.sum(y * s, axis=-1, keepdims=True)
    s = ops.where(y > 0, margin(s_y), s)
    return crossentropy(y_true, ops.log_softmax(scale * s, axis=-1))


def cosine_of_wider_angle(c: Tensor, m: Tensor) -> Tensor:
    """`cos(θ + m)` for `c = cos θ` and `m` radians up to a right angle; falls in `θ` throughout.

    `cos(θ + m) = cos θ cos m - sin θ sin m` needs no arccosine. It would rise again where `θ + m`
    exceeds a half turn; there it goes on as `c` less the constant that joins the two. The
    slope for `c` is infinite at `c = 1`, where that of the cosine for the embedding is 0: `sin θ`
    counts as constant there, which leaves their product at 0.

    >>> round(float(cosine_of_wider_angle(ops.convert_to_tensor(0.5), math.radians(30.0))), 4)
    0.0
    """
    square = (1 - c) * (1 + c)
    inside = square > 0
    sin = ops.where(inside, ops.sqrt(ops.where(inside, square, 1.0)), 0.0)
    wider = c * math.cos(m) - sin * math.sin(m)
    return ops.where(c > -math.cos(m), wider, c + (math.cos(m) - 1))
