from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.losses.class_loss import ClassLoss
from kcatalog.ops.labels import class_distribution
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.probabilities import crossentropy, log_probabilities
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "PolyLoss: A Polynomial Expansion Perspective of Classification Loss Functions",
        "Leng, Tan, Liu, Cubuk, Shi, Cheng, Anguelov",
        2022,
        "https://arxiv.org/abs/2204.12511",
        "section 4.2, Poly-1",
    ),
    equation="l = -log p_y + ε (1 - p_y)",
    tags=("integer-labels", "one-hot-labels", "logits"),
    space={"epsilon": Float(-1.0, 6.0), "label_smoothing": Choice(0.0, 0.1)},
    example=Example({"epsilon": 1.5, "from_logits": True}, shape=(5,), targets="labels"),
)
class PolyCrossentropy(ClassLoss):
    """Cross-entropy with one more term, `ε (1 - p)`: the Poly-1 loss.

    `-log p` is the sum of `(1 - p)^j / j`, whose first term drives samples that are nearly right.
    A positive `ε` makes the model surer of itself, which helped on balanced images; a negative one
    makes it less sure, which helped where classes are rare, as in detection. One number to
    tune, no more cost than cross-entropy. Not for calibrated probabilities.

    Maths:
        `l = Σ over c of q_c (-log p_c + ε (1 - p_c))`, with `p` = the probabilities (or the softmax
        of logits), `q` = the smoothed target and `ε` = `epsilon`, the paper's `ε_1`.

    Args:
        epsilon: `ε`, a number in [-1, inf); 0 is cross-entropy. Below -1 a better prediction
            would cost more. The paper takes 2 for ImageNet and -1 for detection.

    Behaviour:
        Each sample on its own. Half precision is computed in float32. Smoothing applies to both
        terms, as optax does. From logits, log p has no bound and a hopeless sample keeps its
        gradient; probabilities are made to sum to 1 and kept off 0 and 1 as Keras does.

    Example:
        At p = 1/2 the loss is log 2 + 2 · 1/2:

        >>> loss = PolyCrossentropy(epsilon=2.0)
        >>> y_true = ops.convert_to_tensor([1])
        >>> round(float(loss(y_true, ops.convert_to_tensor([[0.2, 0.5, 0.3]]))), 4)
        1.6931
    """

    def __init__(
        self,
        epsilon: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        ignore_class: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(from_logits, label_smoothing, axis, ignore_class, **kwargs)
        self.epsilon = checks.number(self, "epsilon", epsilon, "[-1, inf)")

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        log_p = log_probabilities(at_least_float32(y_pred), self.from_logits, self.axis)
        q = class_distribution(y_true, log_p, self.axis, self.label_smoothing)
        H = crossentropy(y_true, log_p, self.axis, self.label_smoothing)
        return H - self.epsilon * ops.sum(q * ops.expm1(log_p), axis=self.axis)
