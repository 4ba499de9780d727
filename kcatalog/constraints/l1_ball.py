import math
from collections.abc import Sequence

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Example, Float, Paper
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
        "section 4, figure 1",
    ),
    equation="w ← sign(w) max(|w| - θ, 0),  θ such that Σ |w| ≤ r",
    tags=("projection",),
    space={"radius": Float(0.1, 100.0, log=True)},
    example=Example({"radius": 2.0, "axis": [-1]}, shape=(4, 6)),
)
class L1Ball(keras.constraints.Constraint):
    """L1 ball: the nearest weights whose magnitudes sum to at most a radius.

    The constraint that belongs to the L1 penalty: a budget to spend, of which small weights get
    exactly zero. A budget is easier to choose than a penalty's factor if one knows how large a
    response may be, since `|w · x|` is at most `radius` times the largest `|x|`. With a radius
    much too small everything but a few weights is zero from the start.

    Maths:
        `w ← sign(w) max(|w| - θ, 0)` with the `θ` that makes `Σ |w|` equal to `r` = `radius`; `w`
        as it is where the sum is at most `r`. The magnitudes are projected onto the simplex, see
        `kcatalog.constraints.Simplex`.

    Args:
        radius: `r`, the largest sum of magnitudes, a number in (0, inf).
        axis: The axis or axes that are summed over, an integer or a list of integers: 0 in a dense
            kernel and `[0, 1, 2]` in one of a convolution for each unit by itself. None sums
            over the whole weight.

    Shapes:
        A weight of any shape that has `axis`; the result has the same.

    Behaviour:
        Deterministic. Half precision is computed in float32 and rounded at the end. Costs one
        sort along `axis`.

    Example:
        >>> w = L1Ball(radius=2.0)(keras.ops.convert_to_tensor([2.0, -1.0, 0.25]))
        >>> [float(v) for v in w]
        [1.5, -0.5, 0.0]
    """

    def __init__(self, radius: float = 1.0, axis: int | Sequence[int] | None = None):
        self.radius = checks.number(self, "radius", radius, "(0, inf)")
        self.axis = axis if axis is None else checks.axes(self, "axis", axis)

    def __call__(self, w: Tensor) -> Tensor:
        dtype, w = keras.backend.standardize_dtype(w.dtype), at_least_float32(w)
        kept, summed = self._axes(w)
        order = [*kept, *summed]
        moved = ops.transpose(w, order) if order else w
        groups = math.prod(w.shape[a] for a in kept)
        rows = ops.reshape(moved, (groups, -1))
        a = ops.abs(rows)
        inside = ops.sum(a, axis=-1, keepdims=True) <= self.radius
        nearest = ops.sign(rows) * simplex_projection(a, self.radius)
        moved = ops.reshape(ops.where(inside, rows, nearest), moved.shape)
        back = sorted(range(len(order)), key=order.__getitem__)
        return ops.cast(ops.transpose(moved, back) if order else moved, dtype)

    def _axes(self, w):
        """Return the axes that are kept, and those that are summed over."""
        rank = len(w.shape)
        axes = range(rank) if self.axis is None else self.axis
        axes = [axes] if isinstance(axes, int) else axes
        if any(not -rank <= a < rank for a in axes):
            rule = f"axes of the weight, which has shape {tuple(w.shape)}"
            raise checks.error(self, "axis", rule, self.axis)
        summed = sorted({a % rank for a in axes})
        return [a for a in range(rank) if a not in summed], summed
