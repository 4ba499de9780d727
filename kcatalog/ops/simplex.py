"""The nearest mixture to any numbers: projection onto the simplex, exact by one sort."""

from keras import ops


def simplex_projection(w, radius=1.0):
    """Rows along the last axis moved to the nearest with no negative entry and the sum `radius`.

    `max(0, w - θ)` with `θ = max over j of (u₁ + … + u_j - r) / j`, where `u` = `w` sorted from the
    largest down and `r` = `radius`. With radius 1 it is sparsemax.

    >>> [float(p) for p in simplex_projection(ops.convert_to_tensor([0.5, 1.0, -3.0]))]
    [0.25, 0.75, 0.0]
    """
    w = w - ops.max(w, axis=-1, keepdims=True)  # the common part changes nothing but rounding
    u = ops.flip(ops.sort(w, axis=-1), axis=-1)
    j = ops.arange(1, w.shape[-1] + 1, dtype=w.dtype)
    θ = ops.max((ops.cumsum(u, axis=-1) - radius) / j, axis=-1, keepdims=True)
    return ops.relu(w - θ)


def sparsemax(z, axis=-1):
    """Return probabilities along `axis`, the nearest to `z`: most of them are exactly 0.

    `keras.ops.sparsemax` of Keras 3.15 gives other numbers, which do not sum to 1
    for `[0.5, 1, -3]` for example.

    >>> [float(p) for p in sparsemax([[0.5, 1.0, -3.0]])[0]]
    [0.25, 0.75, 0.0]
    """
    z = ops.moveaxis(ops.convert_to_tensor(z), axis, -1)
    return ops.moveaxis(simplex_projection(z), -1, axis)
