from typing import Any

from keras import ops

from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.optimizers.moment_optimizer import MomentOptimizer
from kcatalog.registry import component
from kcatalog.types import LearningRate, Tensor


@component(
    paper=Paper(
        "Stochastic Gradient Methods with Layer-wise Adaptive Moments for Training of Deep "
        "Networks",
        "Ginsburg, Castonguay, Hrinchuk, Kuchaiev, Lavrukhin, Leary, Li, Nguyen, Zhang, Cohen",
        2019,
        "https://arxiv.org/abs/1905.11286",
        "algorithm 1",
    ),
    equation="m ← β₁ m + g / (√v + ε), w ← w - η m, with v the moving mean of ‖g‖²",
    space={"learning_rate": Float(1e-4, 0.1, log=True), "beta_2": Choice(0.25, 0.9, 0.98)},
    example=Example({"learning_rate": 0.02, "beta_1": 0.9, "beta_2": 0.9}),
)
class NovoGrad(MomentOptimizer):
    """NovoGrad: momentum of gradients that are scaled by the norm of their whole weight.

    One second moment per weight, not per element, takes half of Adam's memory and keeps the
    gradient's direction. It stands large rates without a warm-up and large batches; it comes from
    speech recognition. For embeddings with few used rows, take an optimizer that scales each
    element.

    Maths:
        `m ← β₁ m + g / (√v + ε)`, `w ← w - η m`, with `v ← β₂ v + (1 - β₂) ‖g‖²`, which starts as
        the first `‖g‖²`. So steps have the length `η / (1 - β₁)`, whatever the weight's size.

    Args:
        beta_1: `β₁`, the momentum, in [0, 1).
        beta_2: `β₂`, the decay of the squared norm, in [0, 1).

    Shapes:
        One slot per weight, `m`, of the weight's shape, and one number, `v`.

    Behaviour:
        The norm is that of the whole weight: a kernel and its bias are scaled apart. A weight
        starts with its first gradient that is not 0. Weight decay is Keras's, decoupled; the
        paper adds `λ w` to the scaled gradient, into the momentum. Elsewhere: `β₂` is 0.25 by
        default in optax, `β₁` 0.9 in TensorFlow Addons.

    Example:
        A gradient of norm 5 becomes one of norm 1:

        >>> import keras
        >>> w, optimizer = keras.Variable([1.0, 1.0]), NovoGrad(0.1)
        >>> optimizer.apply([keras.ops.array([3.0, 4.0])], [w])
        >>> print(keras.ops.convert_to_numpy(w.value).round(4))
        [0.94 0.92]
    """

    slots = {"m": 0.0, "v": "scalar"}
    elementwise = False

    def __init__(
        self,
        learning_rate: LearningRate = 0.01,
        beta_1: float = 0.95,
        beta_2: float = 0.98,
        epsilon: float = 1e-8,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)

    def shared(self, t: Tensor) -> dict[str, Any]:
        return {}  # no moment starts at 0

    def update(self, w, g, m, v, lr, t):
        square = ops.sum(g * g)
        v = ops.where(v == 0, square, self.beta_2 * v + (1 - self.beta_2) * square)
        m = self.beta_1 * m + g / (ops.sqrt(v) + self.epsilon)
        return w - lr * m, m, v
