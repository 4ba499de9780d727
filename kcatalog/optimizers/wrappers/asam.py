from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper, Part
from kcatalog.optimizers.wrappers.delegate import Inner
from kcatalog.optimizers.wrappers.sharpness_aware import SharpnessAware
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "ASAM: Adaptive Sharpness-Aware Minimization for Scale-Invariant Learning of Deep Neural "
        "Networks",
        "Kwon, Kim, Park, Choi",
        2021,
        "https://arxiv.org/abs/2102.11600",
        "algorithm 1",
    ),
    equation="w ← step of the inner optimizer by ∇L(w + ρ T² g / ‖T g‖), with T = |w| + η",
    tags=("wrapper", "second-gradient"),
    space={"radius": Float(0.1, 2.0, log=True), "eta": Float(1e-3, 0.1, log=True)},
    example=Example(
        {"inner": Part("keras.optimizers.SGD", learning_rate=0.1), "radius": 0.2, "eta": 0.02}
    ),
)
class ASAM(SharpnessAware):
    """Adaptive sharpness-aware minimization (ASAM): SAM in units of each weight's own size.

    SAM's neighbourhood is a ball, but a network of ReLUs is the same when one layer is halved
    and the next doubled. Here large weights are moved far and small ones little, so the step does
    not depend on such a split, and one `radius` suits many models. It is about ten times SAM's.

    Maths:
        With `g = ∇L(w)` of a batch: `e = ρ T² g / ‖T g‖` with `T = |w| + η` for each element and
        the norm over all weights, then the inner optimizer steps from `w` by `∇L(w + e)` of the
        same batch. `ρ` = `radius`, `η` = `eta`.

    Args:
        radius: `ρ`, the size of the neighbourhood in units of `T`, a number in (0, inf).
        eta: `η`, the size that a weight of 0 counts as, a number in [0, inf).

    Behaviour:
        All weights are scaled. The authors' code scales kernels alone and moves biases as SAM
        does; pytorch_optimizer (`SAM(adaptive=True)`) has no `η`.

    Example:
        `T` is 1 and 2, so `T g = (1, 2)` and the second weight moves four times as far:

        >>> import keras
        >>> w = keras.Variable([1.0, 2.0])
        >>> optimizer = ASAM("sgd", radius=0.1, eta=0.0)
        >>> (uphill,) = optimizer.perturbed([keras.ops.ones(2)], [w])
        >>> print(keras.ops.convert_to_numpy(uphill - w).round(4))
        [0.0447 0.1789]
    """

    def __init__(self, inner: Inner, radius: float = 0.5, eta: float = 0.01, **kwargs: Any):
        super().__init__(inner, radius, **kwargs)
        self.eta = checks.number(self, "eta", eta, "[0, inf)")

    def scale(self, w: Tensor) -> Tensor:
        return ops.abs(w) + self.eta
