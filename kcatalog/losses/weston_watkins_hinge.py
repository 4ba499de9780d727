from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.losses.categorical_loss import CategoricalLoss
from kcatalog.ops.labels import class_distribution
from kcatalog.ops.precision import at_least_float32
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Support Vector Machines for Multi-Class Pattern Recognition",
        "Weston, Watkins",
        1999,
        "https://www.esann.org/sites/default/files/proceedings/legacy/es1999-461.pdf",
        "the slack variables at their optimum",
    ),
    tags=("integer-labels", "one-hot-labels", "logits"),
    space={"margin": Float(0.1, 10.0, log=True)},
    example=Example({"margin": 0.5}, shape=(5,), targets="labels"),
)
class WestonWatkinsHinge(CategoricalLoss):
    """Multiclass hinge loss summed over all wrong classes.

    The support vector machine for many classes that looks at every competitor; `CrammerSingerHinge`
    looks at the strongest one only. The sum learns from more of the scores at once, and grows with
    the number of classes: with thousands of them take a smaller learning rate, or the other loss.

    Maths:
        `l = sum over j ≠ y of max(0, m + s_j - s_y)`, with `m` = `margin`, `s` = `y_pred` and
        `y` = `y_true`. Differs from the paper: its margin is 2, which rescales the scores.
        PyTorch's MultiMarginLoss is this divided by the number of classes.

    Args:
        margin: `m`, in units of the scores, a number in (0, inf).

    Shapes:
        `y_true`: class indices `(batch, ...)` or `(batch, ..., 1)`, whole numbers of any dtype,
        or one-hot `(batch, ..., classes)`.
        `y_pred`: scores `(batch, ..., classes)`. Unreduced: `(batch, ...)`.

    Behaviour:
        Each sample on its own. Half precision is computed in float32. With a single class the loss
        is 0.

    Example:
        One competitor lacks 0.5 of the margin, the other beats the right score of 2 by 1:

        >>> loss = WestonWatkinsHinge()
        >>> y_true = ops.convert_to_tensor([1])
        >>> float(loss(y_true, ops.convert_to_tensor([[1.5, 2.0, 3.0]])))
        2.5
    """

    def __init__(self, margin: float = 1.0, ignore_class: int | None = None, **kwargs: Any):
        super().__init__(ignore_class, **kwargs)
        self.margin = checks.number(self, "margin", margin, "(0, inf)")

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        s = at_least_float32(y_pred)
        y = class_distribution(y_true, s)
        s_y = ops.sum(y * s, axis=-1, keepdims=True)
        return ops.sum((1 - y) * ops.relu(self.margin + s - s_y), axis=-1)
