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
        "On the Algorithmic Implementation of Multiclass Kernel-based Vector Machines",
        "Crammer, Singer",
        2001,
        "https://www.jmlr.org/papers/v2/crammer01a.html",
        "the bound on the empirical error",
    ),
    tags=("integer-labels", "one-hot-labels", "logits"),
    space={"margin": Float(0.1, 10.0, log=True)},
    example=Example({"margin": 0.5}, shape=(5,), targets="labels"),
)
class CrammerSingerHinge(CategoricalLoss):
    """Multiclass hinge loss: the margin of the right score over the best of the others.

    The support vector machine for many classes. A sample that is right by the margin has no
    gradient at all, so training ends in a model that rests on the hard samples. Scores carry no
    probabilities: take cross-entropy where these are wanted. `keras.losses.CategoricalHinge`
    takes one-hot targets only, fixes the margin at 1, and lets no competitor score below 0.

    Maths:
        `l = max(0, m + max over j ≠ y of s_j - s_y)`, with `m` = `margin`, `s` = `y_pred` and
        `y` = `y_true`. The paper's margin is 1.

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
        The right score is 2, the best of the others 1.5, so 0.5 of the margin is missing:

        >>> loss = CrammerSingerHinge()
        >>> y_true = ops.convert_to_tensor([1])
        >>> float(loss(y_true, ops.convert_to_tensor([[1.5, 2.0, -1.0]])))
        0.5
    """

    def __init__(self, margin: float = 1.0, ignore_class: int | None = None, **kwargs: Any):
        super().__init__(ignore_class, **kwargs)
        self.margin = checks.number(self, "margin", margin, "(0, inf)")

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        s = at_least_float32(y_pred)
        y = class_distribution(y_true, s)
        s_y = ops.sum(y * s, axis=-1)
        s_j = ops.max(ops.where(y > 0, -float("inf"), s), axis=-1)
        return ops.relu(self.margin + s_j - s_y)
