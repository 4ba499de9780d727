from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.losses.class_loss import ClassLoss
from kcatalog.ops.labels import class_indices, per_class
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.probabilities import log_probabilities
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Focal Loss for Dense Object Detection",
        "Lin, Goyal, Girshick, He, Dollár",
        2017,
        "https://arxiv.org/abs/1708.02002",
        "equation 5",
    ),
    equation="l = -α (1 - p_y)^γ log p_y",
    tags=("integer-labels", "logits"),
    space={"gamma": Float(0.0, 5.0), "label_smoothing": Choice(0.0, 0.1)},
    example=Example({"gamma": 1.5, "from_logits": True}, shape=(5,), targets="labels"),
)
class SparseCategoricalFocalCrossentropy(ClassLoss):
    """Focal cross-entropy with class indices as targets.

    Cross-entropy times `(1 - p)^γ`, so that the many easy samples of a frequent class do not drown
    the few hard ones. `keras.losses.CategoricalFocalCrossentropy` says the same with one-hot
    targets; this one needs no one-hot tensor, which matters from some thousands of
    classes on, and stays exact for saturated logits. On balanced data it mostly slows
    training down; its probabilities come out too timid.

    Maths:
        `f(c) = -α_c (1 - p_c)^γ log p_c`; `l = (1 - ε) f(y) + ε mean over all c of f(c)`,
        with `p` = the probabilities (or the softmax of logits), `y` = `y_true`, `γ` = `gamma`,
        `α` = `alpha` and `ε` = `label_smoothing`. The paper has two classes and no smoothing.

    Args:
        gamma: `γ`, a number in [0, inf); 0 is cross-entropy times `α`.
        alpha: `α`, a number from 0 on, or a list with one for each class.
        label_smoothing: `ε`, the part of the target spread over all classes, in [0, 1].

    Shapes:
        `y_true`: class indices `(batch, ...)` or `(batch, ..., 1)`, whole numbers of any dtype.
        `y_pred`: `(batch, ..., classes)`. Unreduced: `(batch, ...)`.

    Behaviour:
        Each sample on its own. Half precision is computed in float32. Probabilities are made to sum
        to 1 and kept off 0 and 1 by Keras's epsilon, as Keras does. Logits need no such bound on
        `log p`: unlike Keras's, the loss of a hopeless sample grows on and keeps its gradient.

    Example:
        At p = 1/2 the focal factor is 1/4, so α · 1/4 · log 2 is left:

        >>> loss = SparseCategoricalFocalCrossentropy(alpha=1.0)
        >>> y_true = keras.ops.convert_to_tensor([1])
        >>> round(float(loss(y_true, keras.ops.convert_to_tensor([[0.2, 0.5, 0.3]]))), 4)
        0.1733
    """

    one_hot = False

    def __init__(
        self,
        gamma: float = 2.0,
        alpha: float = 0.25,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        ignore_class: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(from_logits, label_smoothing, axis, ignore_class, **kwargs)
        self.gamma = checks.number(self, "gamma", gamma, "[0, inf)")
        self.alpha = _number_or_list(self, alpha)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        log_p = log_probabilities(at_least_float32(y_pred), self.from_logits, self.axis)
        y = class_indices(y_true, log_p, self.axis)
        log_p_y = ops.take_along_axis(log_p, y, axis=self.axis)
        f_y = ops.squeeze(self._alpha(log_p, y) * self._focal(log_p_y), self.axis)
        if not self.label_smoothing:
            return f_y
        f = self._alpha(log_p) * self._focal(log_p)
        ε = self.label_smoothing
        return (1 - ε) * f_y + ε * ops.mean(f, axis=self.axis)

    def _focal(self, log_p):
        q = ops.maximum(-ops.expm1(log_p), keras.config.epsilon())  # 1 - p; its power is smooth
        return -(q**self.gamma) * log_p

    def _alpha(self, log_p, y=None):
        """`α` for the classes `y`, or for every class along the axis of classes."""
        if not isinstance(self.alpha, list | tuple):
            return self.alpha
        α = per_class(self, "alpha", self.alpha, log_p, self.axis)
        return α if y is None else ops.take(α, y)


def _number_or_list(owner, alpha):
    for one in alpha if isinstance(alpha, list | tuple) else [alpha]:
        checks.number(owner, "alpha", one, "[0, inf)")
    return alpha
