"""Mappings to probabilities most of which are 0: sparsemax, entmax, and the simplex projection.

Each is exact by one sort, which finds the support. The threshold is then computed anew from the
support alone, so the gradient is exact and does not pass the sort.
"""

import keras
from keras import ops

from kcatalog.ops.precision import at_least_float32
from kcatalog.types import Tensor


def simplex_projection(w: Tensor, radius: float = 1.0) -> Tensor:
    """Rows along the last axis moved to the nearest with no negative entry and the sum `radius`.

    `max(0, w - θ)` with `θ = max over j of (u₁ + … + u_j - r) / j`, where `u` = `w` sorted from the
    largest down and `r` = `radius`. With radius 1 it is sparsemax.

    >>> [float(p) for p in simplex_projection(ops.convert_to_tensor([0.5, 1.0, -3.0]))]
    [0.25, 0.75, 0.0]
    """
    w, u, j = _from_largest(w)
    θ = (ops.cumsum(u, axis=-1) - radius) / j
    θ = ops.max(θ, axis=-1, keepdims=True, initial=-radius)  # `initial` is for an empty batch
    S, k = _support(w, θ)
    θ = (ops.sum(ops.where(S, w, 0.0), axis=-1, keepdims=True) - radius) / k
    return ops.relu(w - θ)


def sparsemax(z: Tensor, axis: int = -1) -> Tensor:
    """Return probabilities along `axis`, the nearest to `z`: most of them are exactly 0.

    `keras.ops.sparsemax` of Keras 3.15 gives other numbers, which do not sum to 1
    for `[0.5, 1, -3]` for example.

    >>> [float(p) for p in sparsemax([[0.5, 1.0, -3.0]])[0]]
    [0.25, 0.75, 0.0]
    """
    return _along(simplex_projection, z, axis)


def entmax15(z: Tensor, axis: int = -1) -> Tensor:
    """Return probabilities along `axis` between those of softmax and of sparsemax.

    `p = max(0, z / 2 - τ)²`, with the `τ` for which they sum to 1 (entmax for α = 1.5).

    >>> [round(float(p), 4) for p in entmax15([[0.5, 1.0, -3.0]])[0]]
    [0.326, 0.674, 0.0]
    """

    def entmax(z):
        z, u, j = _from_largest(z)
        z, u = (ops.maximum(v / 2, -1.0) for v in (z, u))  # τ >= -1: nothing is needed from below
        μ = ops.cumsum(u, axis=-1) / j
        τ = _threshold(μ, ops.cumsum(u * u, axis=-1) - j * μ * μ, j)
        k = ops.sum(ops.cast(τ <= u, u.dtype), axis=-1, keepdims=True)
        τ = ops.max(ops.where(j == k, τ, -1.0), axis=-1, keepdims=True, initial=-1.0)
        S, k = _support(z, τ)
        μ = ops.sum(ops.where(S, z, 0.0), axis=-1, keepdims=True) / k
        spread = ops.sum(ops.where(S, ops.square(z - μ), 0.0), axis=-1, keepdims=True)
        return ops.square(ops.relu(z - _threshold(μ, spread, k)))

    return _along(entmax, z, axis)


def _threshold(μ, spread, k):
    """Return `τ` with `Σ (u - τ)² = 1` over `k` values of this mean and sum of squares about it."""
    return μ - ops.sqrt(ops.maximum((1 - spread) / k, keras.config.epsilon() ** 2))


def _from_largest(z):
    """Return `z` less its largest value, the same from the largest down, and 1, 2, ... for each."""
    u = ops.flip(ops.sort(ops.stop_gradient(z), axis=-1), axis=-1)
    largest = u[..., :1]
    return z - largest, u - largest, ops.arange(1, z.shape[-1] + 1, dtype=z.dtype)


def _support(z, threshold):
    """Return where `z` is above, and how often."""
    S = z > ops.stop_gradient(threshold)
    return S, ops.sum(ops.cast(S, z.dtype), axis=-1, keepdims=True)


def _along(function, z, axis):
    z = ops.convert_to_tensor(z)
    p = function(ops.moveaxis(at_least_float32(z), axis, -1))
    return ops.cast(ops.moveaxis(p, -1, axis), z.dtype)
