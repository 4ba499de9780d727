import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper
from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.simplex import simplex_projection
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Efficient Projections onto the l1-Ball for Learning in High Dimensions",
        "Duchi, Shalev-Shwartz, Singer, Chandra",
        2008,
        "https://doi.org/10.1145/1390156.1390191",
        "figure 1",
    ),
    equation="w ← max(0, w - θ),  θ such that Σ w = r",
    tags=("projection",),
    space={"axis": Choice(0, -1)},
    example=Example({"axis": -1, "radius": 2.0}, shape=(4, 6)),
)
class Simplex(keras.constraints.Constraint):
    """Euclidean projection onto the probability simplex: the nearest mixture.

    For weights that mix things (experts, sources, time lags) and should be read as shares. The
    projection is exact and sets small shares to zero; a softmax never does. A share at
    zero comes back only if its gradient outweighs the common shift `θ`.

    Maths:
        `w ← max(0, w - θ)` along `axis`, with the `θ` that makes the sum `r` = `radius`. For
        `u` = `w` sorted from the largest down, `θ = max over j of (u₁ + … + u_j - r) / j`: the
        paper's `ρ` is the `j` where this maximum lies.

    Args:
        axis: The axis along which weights sum to `radius`, an integer in (-inf, inf). In a kernel 0
            means over inputs, for each output unit, and -1 over outputs.
        radius: `r`, the sum, a number in (0, inf).

    Shapes:
        A weight of any shape that has `axis`; the result has the same.

    Behaviour:
        Deterministic. Half precision is computed in float32 and rounded at the end. Costs one
        sort along `axis`.

    Example:
        >>> constraint = Simplex()
        >>> w = constraint(keras.ops.convert_to_tensor([0.5, 1.0, -3.0]))
        >>> [round(float(v), 4) for v in w]
        [0.25, 0.75, 0.0]
    """

    def __init__(self, axis: int = 0, radius: float = 1.0):
        self.axis = checks.integer(self, "axis", axis, "(-inf, inf)")
        self.radius = checks.number(self, "radius", radius, "(0, inf)")

    def __call__(self, w: Tensor) -> Tensor:
        dtype, w = keras.backend.standardize_dtype(w.dtype), at_least_float32(w)
        if not -len(w.shape) <= self.axis < len(w.shape):
            rule = f"an axis of the weight, which has shape {tuple(w.shape)}"
            raise checks.error(self, "axis", rule, self.axis)
        w = ops.moveaxis(w, self.axis, -1)
        w = simplex_projection(w, self.radius)
        return ops.cast(ops.moveaxis(w, -1, self.axis), dtype)
