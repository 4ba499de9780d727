from typing import Any

from keras import ops

from kcatalog.card import Example, Paper
from kcatalog.losses.categorical_loss import CategoricalLoss
from kcatalog.ops.labels import class_distribution, signs
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.targets import Targets, two_classes
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Discriminative Training Methods for Hidden Markov Models",
        "Collins",
        2002,
        "https://aclanthology.org/W02-1001/",
        "the training algorithm",
    ),
    equation="l = max over j of s_j - s_y; for one score l = max(0, -y s)",
    tags=("integer-labels", "one-hot-labels", "logits"),
    example=Example({"ignore_class": -1}, shape=(5,), targets="labels"),
)
class Perceptron(CategoricalLoss):
    """Perceptron loss: zero where the right class leads, else how far it is behind.

    Its gradient step is Rosenblatt's update for two classes and Collins's for many. It asks for no
    margin, so it stops at the first boundary that separates, and scores of zero everywhere
    satisfy it too. Take `CrammerSingerHinge`, or `keras.losses.Hinge`, where you want
    one that generalizes.

    Maths:
        `l = max over j of s_j - s_y`, with `s` = `y_pred` and `y` = `y_true`. Two classes with one
        score: `l = max(0, -y s)` with `y` as -1/+1.

    Shapes:
        Many classes: `y_pred` is `(batch, ..., classes)`; `y_true` holds class indices
        `(batch, ...)` or `(batch, ..., 1)`, whole numbers of any dtype, or is one-hot
        `(batch, ..., classes)`.
        Two classes with one score: `y_pred` is `(batch, ..., 1)` or `(batch,)`; `y_true` is 0/1 or
        -1/+1, of the same shape; a last axis of 1 may be left out. Unreduced: `(batch, ...)`.

    Behaviour:
        Each sample on its own. Half precision is computed in float32.

    Example:
        The right score is 2, the best 3.5; with one score, -0.5 is on the wrong side:

        >>> loss, tensor = Perceptron(), ops.convert_to_tensor
        >>> float(loss(tensor([1]), tensor([[1.0, 2.0, 3.5]])))
        1.5
        >>> float(loss(tensor([[1]]), tensor([[-0.5]])))
        0.5
    """

    def __init__(self, ignore_class: int | None = None, **kwargs: Any):
        super().__init__(ignore_class, **kwargs)

    def targets(self, y_true: Tensor, y_pred: Tensor) -> Targets:
        if len(y_pred.shape) > 1 and y_pred.shape[-1] != 1:
            return super().targets(y_true, y_pred)
        return two_classes(self, y_true, y_pred, self.ignore_class)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        s = at_least_float32(y_pred)
        if len(s.shape) == 1:
            s = ops.expand_dims(s, -1)
        if s.shape[-1] == 1:
            return ops.relu(-signs(y_true, s) * s)[..., 0]
        s_y = ops.sum(class_distribution(y_true, s) * s, axis=-1)
        return ops.max(s, axis=-1) - s_y
