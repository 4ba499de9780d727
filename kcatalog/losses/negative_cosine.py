from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Paper
from kcatalog.losses.loss import Loss
from kcatalog.ops.distances import unit_rows
from kcatalog.ops.targets import Targets, numbers, same_samples
from kcatalog.ops.views import are_stacked, two_views
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Exploring Simple Siamese Representation Learning",
        "Chen, He",
        2020,
        "https://arxiv.org/abs/2011.10566",
        "equations 1 and 3",
    ),
    equation="l = -cos(z, p),  no gradient to z",
    tags=("embeddings",),
    example=Example({"stop_gradient": False}, shape=(2, 5)),
)
class NegativeCosine(Loss):
    """Negative cosine similarity to a target view that gets no gradient: the loss of SimSiam.

    Self-supervision without negatives and without a large batch. That all embeddings become one is
    prevented by nothing but the predictor in front of `p` and the stopped gradient of `z`; watch
    the standard deviation of normalized embeddings, which falls to 0 if they do.
    `keras.losses.CosineSimilarity` has the same value and lets gradients into both views. BYOL's
    loss is `2 + 2 l`, with `z` from a moving average of the model.

    Maths:
        `l = -cos(z, p)`, with `z` = `y_true`, the projection of one view, and `p` = `y_pred`, the
        prediction from the other. The paper adds the same with views exchanged, half of each: give
        the model two outputs, both with this loss and a weight of 0.5.

    Args:
        stop_gradient: False to let gradients reach `z` too, where something else keeps
            embeddings apart.

    Shapes:
        `y_true` and `y_pred`: `z` and `p`, `(batch, features)` each, `loss(z, p)`. Or
        `y_pred`: both stacked, `(batch, 2, features)`, `z` first; `y_true` is then ignored (give
        `fit` zeros). Unreduced: `(batch,)`.

    Behaviour:
        Each sample on its own. Half precision is computed in float32. A zero row has cosine 0 with
        everything, and no gradient.

    Example:
        Half a right angle apart:

        >>> loss = NegativeCosine()
        >>> z, p = ops.convert_to_tensor([[2.0, 0.0]]), ops.convert_to_tensor([[1.0, 1.0]])
        >>> round(float(loss(z, p)), 4)
        -0.7071
    """

    def __init__(self, stop_gradient: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        self.stop_gradient = checks.boolean(self, "stop_gradient", stop_gradient)

    def targets(self, y_true: Tensor, y_pred: Tensor) -> Targets:
        y = numbers(self, "y_true", y_true, self.dtype)
        same_samples(self, y, y_pred)
        return Targets(y, faults=None if are_stacked(y_pred) else y)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        z, p = two_views(self, y_true, y_pred)
        if self.stop_gradient:
            z = ops.stop_gradient(z)
        return -ops.sum(unit_rows(z) * unit_rows(p), axis=-1)
