from collections.abc import Sequence

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.ops.norms import absolute, scaled_norm
from kcatalog.ops.precision import at_least_float32
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Nonlinear total variation based noise removal algorithms",
        "Rudin, Osher, Fatemi",
        1992,
        "https://doi.org/10.1016/0167-2789(92)90242-F",
        "section 2",
    ),
    equation="Ω = λ Σ |w_{i+1} - w_i| along each axis",
    tags=("penalty",),
    space={"factor": Float(1e-6, 1e-2, log=True), "isotropic": Choice(False, True)},
    example=Example({"factor": 0.1, "axes": [0, 1], "isotropic": True}, shape=(4, 3)),
)
class TotalVariation(keras.regularizers.Regularizer):
    """Total variation: the sum of the steps between neighbours, which spares sharp edges.

    Squared differences blur; their magnitudes prefer few jumps with flat pieces between. For the
    rows and columns of large convolution kernels, for kernels over time or frequency, and as an
    `activity_regularizer` of layers that put out images, with `axes=[1, 2]`. On kernels
    of 3 by 3 it does little but shrink.

    Maths:
        `Ω = λ Σ_p Σ_a |d_a(p)|` over places `p` and the `axes` `a`, with `λ` = `factor` and
        `d_a(p)` = the weight one further along `a` less that at `p`, 0 at the end.
        Isotropic: `Ω = λ Σ_p (Σ_a d_a(p)²)^½`, which does not favour edges along the axes.

    Args:
        factor: `λ`, a number in [0, inf).
        axes: The axes along which neighbours lie, an integer or a list of integers: 0 and 1 are
            the rows and columns of a kernel, 1 and 2 those of a batch of images (channels last).
        isotropic: Whether the steps at a place count by their Euclidean length.

    Shapes:
        A weight of any shape that has `axes`; the penalty is a scalar, a sum over all other axes.
        As an activity regularizer Keras divides it by the batch size.

    Behaviour:
        A constant pays nothing. Equal neighbours have gradient zero (a subgradient). Half
        precision is computed in float32.

    Example:
        From 0 it is 3 down and 4 to the right; from 4 it is 1 down:

        >>> image = keras.ops.convert_to_tensor([[0.0, 4.0], [3.0, 3.0]])
        >>> float(TotalVariation(1.0)(image)), float(TotalVariation(1.0, isotropic=True)(image))
        (8.0, 6.0)
    """

    def __init__(
        self, factor: float = 1e-4, axes: int | Sequence[int] = (0, 1), isotropic: bool = False
    ):
        self.factor = checks.number(self, "factor", factor, "[0, inf)")
        self.axes = checks.axes(self, "axes", axes)
        self.isotropic = checks.boolean(self, "isotropic", isotropic)

    def __call__(self, w: Tensor) -> Tensor:
        w = at_least_float32(w)
        steps = [self._steps(w, a) for a in self._checked(w)]
        if not self.isotropic:
            return self.factor * sum(ops.sum(absolute(d)) for d in steps)
        m, r = scaled_norm(ops.stack(steps), axis=0)
        return self.factor * ops.sum(m * r)

    def _checked(self, w):
        axes, rank = self.axes if isinstance(self.axes, list | tuple) else [self.axes], len(w.shape)
        if any(not -rank <= a < rank for a in axes):
            rule = f"axes of the weight, which has shape {tuple(w.shape)}"
            raise checks.error(self, "axes", rule, self.axes)
        return axes

    def _steps(self, w, axis):
        """Return the steps to the next weight along an axis, in the weight's shape."""
        w = ops.moveaxis(w, axis, 0)
        d = ops.concatenate([w[1:] - w[:-1], ops.zeros_like(w[:1])], axis=0)
        return ops.moveaxis(d, 0, axis)
