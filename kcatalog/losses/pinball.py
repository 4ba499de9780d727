from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Paper
from kcatalog.losses.loss import Loss
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.samples import mean_over_outputs, same_rank
from kcatalog.ops.targets import Targets, numbers, same_shape
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Regression Quantiles",
        "Koenker, Bassett",
        1978,
        "https://doi.org/10.2307/1913643",
        "definition of the θth regression quantile",
    ),
    example=Example({"tau": [0.1, 0.5, 0.9]}, shape=(3,)),
)
class Pinball(Loss):
    """Pinball loss: its minimizer is the quantile `tau` of the target, given the input.

    For intervals instead of points: a model with `tau=[0.05, 0.5, 0.95]` predicts the median and
    the band that holds nine targets in ten, without assuming a distribution. Quantiles learned
    together may cross where data are scarce; sort them before use. `tau=0.5` is half the
    absolute error, less moved by outliers than the squared one.

    Maths:
        `l = max(τ (y - q), (τ - 1) (y - q))`, with `τ` = `tau`, `y` = `y_true`, `q` = `y_pred`.

    Args:
        tau: `τ`, the quantile wanted, a number in [0, 1], or a list with one for each output.

    Shapes:
        `y_pred`: `(batch, ..., outputs)`, or `(batch,)` where `tau` is a number. With a list,
        `outputs` is its length.
        `y_true`: as `y_pred`, or with 1 in the place of `outputs`, or without that axis: then the
        same target for all quantiles. Unreduced: `(batch, ...)`, the mean over the outputs.

    Behaviour:
        Each sample on its own. Half precision is computed in float32.

    Example:
        For the quantile 0.9 a prediction that is 2 too low costs 1.8, one 2 too high 0.2:

        >>> loss = Pinball(tau=0.9, reduction="sum")
        >>> y_true = ops.convert_to_tensor([[5.0], [5.0]])
        >>> round(float(loss(y_true, ops.convert_to_tensor([[3.0], [7.0]]))), 4)
        2.0
    """

    def __init__(self, tau: float = 0.5, **kwargs: Any):
        super().__init__(**kwargs)
        self.tau = _number_or_list(self, tau)

    def targets(self, y_true: Tensor, y_pred: Tensor) -> Targets:
        y = numbers(self, "y_true", y_true, self.dtype)
        if not isinstance(self.tau, list | tuple) or tuple(y.shape) == tuple(y_pred.shape):
            return super().targets(y_true, y_pred)
        same_shape(self, y, (*y_pred.shape[:-1], 1))  # one number for all its quantiles
        return Targets(y, faults=y)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        q = at_least_float32(y_pred)
        δ = same_rank(at_least_float32(y_true), q) - q
        τ = ops.convert_to_tensor(self.tau, dtype=q.dtype)
        if len(τ.shape) and tuple(τ.shape) != tuple(q.shape)[-1:]:
            fix = f"Give the model {len(self.tau)} outputs."
            rule = f"predictions (batch, ..., {len(self.tau)}), one for each tau"
            raise checks.error(self, "y_pred", rule, tuple(q.shape), fix)
        return mean_over_outputs(ops.maximum(τ * δ, (τ - 1) * δ))


def _number_or_list(owner, tau):
    if isinstance(tau, list | tuple):
        return checks.numbers_list(owner, "tau", tau, "[0, 1]")
    return checks.number(owner, "tau", tau, "[0, 1]")
