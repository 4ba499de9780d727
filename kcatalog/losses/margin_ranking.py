from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.losses.loss import Loss
from kcatalog.ops.labels import signs
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.targets import Targets, two_classes
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Optimizing Search Engines using Clickthrough Data",
        "Joachims",
        2002,
        "https://www.cs.cornell.edu/people/tj/publications/joachims_02c.pdf",
        "ranking SVM, the slack of optimization problem 1",
    ),
    space={"margin": Float(0.0, 10.0)},
    example=Example({"margin": 0.5}, shape=(2,), targets="signs", target_shape=()),
)
class MarginRanking(Loss):
    """Hinge loss on the difference of two scores.

    For learning an order from comparisons: which of two documents is the better answer, which of
    two pictures is preferred. Score both by the same model and stack the scores on a last
    axis. Take a triplet loss for embeddings, and cross-entropy where there are classes.

    Maths:
        `l = max(0, m - y (s_1 - s_2))`, with `m` = `margin`, `(s_1, s_2)` the last axis of `y_pred`
        and `y` = `y_true` as -1/+1.

    Args:
        margin: `m`, in units of the scores, a number in [0, inf). The paper's is 1. Differs from
            PyTorch's MarginRankingLoss, whose default of 0 is content with equal scores.

    Shapes:
        `y_true`: `(batch, ...)` or `(batch, ..., 1)`: 1 where the first score should be the higher
        one, 0 or -1 where the second should.
        `y_pred`: pairs of scores `(batch, ..., 2)`. Unreduced: `(batch, ...)`.

    Behaviour:
        Each pair on its own. Half precision is computed in float32. The gradients of the two
        scores are equal and opposite, so only differences are learned.

    Example:
        The first leads by 0.25 where a margin of 1 is asked for; the second leads enough:

        >>> loss, tensor = MarginRanking(reduction="sum"), ops.convert_to_tensor
        >>> float(loss(tensor([1, -1]), tensor([[0.75, 0.5], [1.0, 3.0]])))
        0.75
    """

    def __init__(self, margin: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.margin = checks.number(self, "margin", margin, "[0, inf)")

    def targets(self, y_true: Tensor, y_pred: Tensor) -> Targets:
        if len(y_pred.shape) < 2 or y_pred.shape[-1] != 2:
            fix = "Stack the two scores: keras.ops.stack([first, second], axis=-1)."
            raise checks.error(self, "y_pred", "pairs (batch, ..., 2)", tuple(y_pred.shape), fix)
        return two_classes(self, y_true, y_pred[..., 0])

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        s = at_least_float32(y_pred)
        difference = s[..., 0] - s[..., 1]
        return ops.relu(self.margin - signs(y_true, difference) * difference)
