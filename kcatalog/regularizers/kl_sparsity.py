import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
from kcatalog.ops.precision import at_least_float32
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Sparse autoencoder",
        "Ng",
        2011,
        "https://web.stanford.edu/class/cs294a/sparseAutoencoder.pdf",
        "section 3",
    ),
    tags=("penalty", "activity"),
    space={"factor": Float(0.01, 10.0, log=True), "target": Float(0.01, 0.2, log=True)},
    example=Example({"factor": 0.1, "target": 0.2}, shape=(6, 3), predictions="probabilities"),
)
class KLSparsity(keras.regularizers.Regularizer):
    """KL sparsity: each unit of a layer is active for a given share of the samples.

    For the code of a sparse autoencoder with sigmoid units: each then stands for something rare,
    and none is dead or always on, which L1 on activities does not prevent. An
    `activity_regularizer`; outputs have to lie in [0, 1]. The batch has to be large compared
    with `1 / target`.

    Maths:
        `Ω = λ Σ_j (ρ log(ρ / ρ̂_j) + (1 - ρ) log((1 - ρ) / (1 - ρ̂_j)))`, with `λ` = `factor`,
        `ρ` = `target` and `ρ̂_j` = the mean output of unit `j`.

    Args:
        factor: `λ`, a number in [0, inf).
        target: `ρ`, the mean activity that each unit shall have, a number in (0, 1).

    Shapes:
        Outputs `(batch, ..., units)`; positions count as samples. The penalty is `batch Ω`, since
        Keras divides the penalty of an `activity_regularizer` by the batch size.

    Behaviour:
        `ρ̂` is kept away from 0 and 1 by 1e-6; beyond, the gradient is zero, so units of a ReLU that
        are dead stay dead. Keras passes no mask on: padding counts. Each replica takes the means of
        its own part of a batch. Half precision is computed in float32.

    Example:
        At the target nothing is paid; at 0.5 instead of 0.2 it is `0.2 log 0.4 + 0.8 log 1.6`:

        >>> penalty = KLSparsity(factor=1.0, target=0.2)
        >>> print(f"{float(penalty(keras.ops.convert_to_tensor([[0.2]]))):.4f}")
        0.0000
        >>> print(f"{float(penalty(keras.ops.convert_to_tensor([[0.5]]))):.4f}")
        0.1927
    """

    def __init__(self, factor: float = 1.0, target: float = 0.05):
        self.factor = checks.number(self, "factor", factor, "[0, inf)")
        self.target = checks.number(self, "target", target, "(0, 1)")

    def __call__(self, h: Tensor) -> Tensor:
        h = at_least_float32(h)
        if len(h.shape) < 2:
            raise checks.error(self, "shape", "(batch, ..., units)", tuple(h.shape))
        batch, rho = ops.cast(ops.shape(h)[0], h.dtype), self.target
        mean = ops.mean(h, axis=tuple(range(len(h.shape) - 1)))
        mean = ops.clip(mean, 1e-6, 1 - 1e-6)
        at_target = ops.convert_to_tensor(rho, h.dtype)  # rounded alike, so that Ω is 0 there
        kl = rho * (ops.log(at_target) - ops.log(mean))
        kl = kl + (1 - rho) * (ops.log1p(-at_target) - ops.log1p(-mean))
        return self.factor * batch * ops.sum(ops.relu(kl))  # below 0 by rounding
