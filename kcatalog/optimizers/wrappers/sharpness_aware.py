"""The base of sharpness-aware wrappers, whose step needs two gradients of its batch."""

from contextlib import contextmanager
from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.ops.precision import at_least_float32
from kcatalog.optimizers.wrappers.delegate import Inner
from kcatalog.optimizers.wrappers.wrapper import Wrapper
from kcatalog.types import Tensor


class SharpnessAware(Wrapper):
    """Steps by the gradient found uphill of the weights, where the batch's loss is about highest.

    A subclass states `scale(w)`, by which the neighbourhood is stretched in each direction.

    An optimizer cannot compute a gradient. `kcatalog.training.attach(model)` makes a compiled
    model's training step compute the second one; a custom loop does it in three lines:

        uphill = optimizer.perturbed(gradients, weights)    # tensors: w + e
        gradients = ...                                     # of the same batch, at `uphill`
        with optimizer.second_gradients():
            optimizer.apply(gradients, weights)

    Args:
        radius: `ρ`, the distance to the point uphill, a number in (0, inf).

    Shapes:
        Gradients keep their shapes. There are no slots.

    Behaviour:
        Needs `kcatalog.training.attach(model)` after `compile`, and again after `load_model`:
        without it the first step raises an error. A step computes the model twice, so it takes
        about twice as long. Both gradients are of the same loss: sample weights, regularization
        and loss scaling included, and with the same dropout. Metrics, the reported loss and the
        statistics of batch normalization come from the first. The weights themselves are never
        moved uphill, so they are right for evaluation and saving at any time, and constraints
        do not apply there. Weight decay, clipping and accumulation are the inner optimizer's and
        act on the second gradient. With accumulation each micro-batch goes uphill by itself. On
        several replicas all go uphill along the gradient of the whole batch, so that they equal
        one device; the paper's go along their own.
    """

    def __init__(self, inner: Inner, radius: float = 0.05, **kwargs: Any):
        super().__init__(inner, **kwargs)
        self.radius = checks.number(self, "radius", radius, "(0, inf)")
        self._second = 0

    # --- what a subclass states ---------------------------------------------------------

    def scale(self, w: Tensor) -> Tensor:
        """Return `T`, the size of the neighbourhood of each element, or 1 for all of them."""
        raise NotImplementedError

    # --- a step -------------------------------------------------------------------------

    def perturbed(self, gradients: list[Tensor], weights: Tensor) -> list[Tensor]:
        """Return tensors: the weights moved uphill, those without a gradient as they are."""
        return uphill(gradients, weights, self.radius, self.scale)

    @contextmanager
    def second_gradients(self) -> list[Tensor]:
        """While open, `apply` takes gradients for what was computed at `perturbed`."""
        self._second += 1  # a count: replicas enter one after another
        try:
            yield
        finally:
            self._second -= 1

    def apply(
        self, grads: list[Tensor], trainable_variables: list[keras.Variable] | None = None
    ) -> None:
        if not self._second:
            cls = type(self).__name__
            raise RuntimeError(
                f"{cls} steps by two gradients of a batch, and this training step computes one. "
                "Call kcatalog.training.attach(model) after `compile` or `load_model`, or in a "
                f"custom loop see `kcatalog show {cls}`."
            )
        super().apply(grads, trainable_variables)


def uphill(gradients: list[Tensor], weights: Tensor, radius: float, scale: Any) -> list[Tensor]:
    """Return `w + ρ T² g / ‖T g‖` for each weight, with the norm over all of them.

    Args:
        gradients: `g`, a list; None leaves its weight as it is. Any factor cancels.
        weights: `w`, a list of tensors or variables.
        radius: `ρ`, a number.
        scale: from a weight to `T`, a tensor of its shape or a number.
    """
    moved = [ops.stop_gradient(ops.convert_to_tensor(w)) for w in weights]
    places = [i for i, g in enumerate(gradients) if g is not None]
    w = [at_least_float32(moved[i]) for i in places]
    t = [scale(w_i) for w_i in w]
    tg = [t_i * at_least_float32(gradients[i]) for i, t_i in zip(places, t, strict=True)]
    for i, w_i, t_i, unit in zip(places, w, t, _over_norm(tg), strict=True):
        moved[i] = ops.cast(w_i + radius * t_i * unit, moved[i].dtype)
    return moved


def _over_norm(tensors):
    """Return a list of tensors divided by their common norm; all zeros stay zeros."""
    dtypes = [keras.backend.standardize_dtype(v.dtype) for v in tensors]
    dtype = "float64" if "float64" in dtypes else "float32"
    m = ops.max(ops.stack([ops.cast(ops.max(ops.abs(v)), dtype) for v in tensors]))
    half = ops.rsqrt(ops.where(m == 0, ops.ones_like(m), m))  # by halves: 1 / m may vanish
    tensors = [v * ops.cast(half, v.dtype) * ops.cast(half, v.dtype) for v in tensors]
    square = sum(ops.cast(ops.sum(ops.square(v)), dtype) for v in tensors)
    inverse = ops.rsqrt(ops.where(square == 0, ops.ones_like(square), square))
    return [v * ops.cast(inverse, v.dtype) for v in tensors]
