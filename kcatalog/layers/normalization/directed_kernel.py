"""A kernel given by its direction and its lengths, for `WeightNormalization`."""

import functools

import keras
from keras import ops

from kcatalog.ops.norms import scaled_norm, unit
from kcatalog.optimizers.wrappers.units import incoming_axes
from kcatalog.types import Tensor

CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
TRANSPOSED = tuple(getattr(keras.layers, f"Conv{n}DTranspose") for n in (1, 2, 3))
DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)


class DirectedKernel:
    """A kernel of the wrapped layer: its direction `v`, its lengths `g`."""

    def __init__(self, wrapper: keras.layers.Layer, v: Tensor):
        self.v, self._axes = v, _incoming_axes(wrapper.layer, v)
        shape = [n for i, n in enumerate(v.shape) if i not in self._axes]
        start = functools.partial(self._start, v)
        self.g = wrapper.add_weight(shape, start, v.dtype, name=f"{v.name}_g", autocast=False)
        self.regularizer, self.constraint = v.regularizer, v.constraint
        v.regularizer = None if self.regularizer is None else self._penalty
        v.constraint = None if self.constraint is None else self._constrained

    def length(self, v: Tensor) -> Tensor:
        """Return `‖v‖` of each unit."""
        m, r = scaled_norm(v, self._axes)
        return ops.squeeze(m * r, self._axes)

    def direction(self, v: Tensor) -> Tensor:
        """Return `v / ‖v‖`, or 0 where that is 0."""
        return unit(v, self._axes)

    def weight(self, v: Tensor, more: Tensor = 0.0) -> Tensor:
        """Return `w = g v / ‖v‖`, with `more` added to `g`."""
        return ops.expand_dims(self.g + more, self._axes) * self.direction(v)

    def _start(self, v, shape, dtype=None):
        return ops.cast(ops.reshape(self.length(v), shape), dtype)

    def _penalty(self, v):
        return self.regularizer(self.weight(v))

    def _constrained(self, v):
        w = self.constraint(self.weight(v))
        self.g.assign(self.length(w))
        return w


def _incoming_axes(layer, kernel):
    """Return the axes of a kernel that are not its units', which a layer's class can tell."""
    layer = getattr(layer, "layer", layer)  # in a wrapper such as TimeDistributed
    axes = tuple(range(len(kernel.shape)))
    if isinstance(layer, keras.layers.EinsumDense):
        letters, output = layer.equation.split(",")[1].split("->")
        return tuple(i for i in axes if letters.strip()[i] not in output)
    if isinstance(layer, TRANSPOSED):
        return (*axes[:-2], axes[-1])
    return axes[:-2] if isinstance(layer, DEPTHWISE) else incoming_axes(kernel)
