import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.ops.norms import scaled_norm
from kcatalog.ops.precision import at_least_float32
from kcatalog.registry import component


@component(
    paper=Paper(
        "Model Selection and Estimation in Regression with Grouped Variables",
        "Yuan, Lin",
        2006,
        "https://doi.org/10.1111/j.1467-9868.2005.00532.x",
        "equation 2.1",
    ),
    tags=("penalty",),
    space={"factor": Float(1e-6, 1e-2, log=True), "axis": Choice(-1, -2)},
    example=Example({"factor": 0.1, "axis": -2}, shape=(4, 3)),
)
class GroupLasso(keras.regularizers.Regularizer):
    """Group lasso: the unsquared Euclidean norm of each group of weights.

    L1 sparsifies single weights, which a dense matrix product cannot use; the group lasso
    sparsifies whole units, which can be cut out. With the last axis the groups are output units
    (filters); with the last but one, what each input unit feeds. Gradient descent brings
    a group close to zero and not exactly there: prune below a threshold.

    Maths:
        `Ω = λ Σ_g √p ‖w_g‖`, with `λ` = `factor`, `w_g` = the weights at index `g` of `axis` and
        `p` = how many these are.

    Args:
        factor: `λ`, a number in [0, inf).
        axis: The axis whose indices are the groups, an integer in (-inf, inf).

    Shapes:
        A weight of any shape that has `axis`; the penalty is a scalar.

    Behaviour:
        A group that is exactly zero has gradient zero (a subgradient). Half precision is computed
        in float32.

    Example:
        Output units (3, 4) and (0, 0) have norms 5 and 0, and p = 2:

        >>> penalty = GroupLasso(factor=1.0)
        >>> round(float(penalty(keras.ops.convert_to_tensor([[3.0, 0.0], [4.0, 0.0]]))), 4)
        7.0711
    """

    def __init__(self, factor=0.01, axis=-1):
        self.factor = checks.number(self, "factor", factor, "[0, inf)")
        self.axis = checks.integer(self, "axis", axis, "(-inf, inf)")

    def __call__(self, w):
        w = at_least_float32(w)
        if not -len(w.shape) <= self.axis < len(w.shape):
            rule = f"an axis of the weight, which has shape {tuple(w.shape)}"
            raise checks.error(self, "axis", rule, self.axis)
        w = ops.moveaxis(w, self.axis, 0)
        w = ops.reshape(w, (w.shape[0], -1))
        p = w.shape[1]
        m, r = scaled_norm(w, axis=1)
        return self.factor * p**0.5 * ops.sum(m * r)
