import math
from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Paper, Part
from kcatalog.layers.kernel_wrapper import KernelWrapper
from kcatalog.layers.normalization.directed_kernel import (
    CONVOLUTIONS,
    DEPTHWISE,
    TRANSPOSED,
    DirectedKernel,
)
from kcatalog.ops.precision import at_least_float32
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor

_KERNELS = ("kernel", "recurrent_kernel", "depthwise_kernel", "pointwise_kernel")
_SET_BY_DATA = (keras.layers.Dense, *CONVOLUTIONS, *TRANSPOSED, *DEPTHWISE)


@component(
    paper=Paper(
        "Weight Normalization: A Simple Reparameterization to Accelerate Training of Deep Neural "
        "Networks",
        "Salimans, Kingma",
        2016,
        "https://arxiv.org/abs/1602.07868",
        "equations 2 to 6",
    ),
    tags=("masking",),
    space={"data_init": Choice(False, True)},
    example=Example({"layer": Part("keras.layers.Dense", units=4)}, shape=(5, 3)),
)
class WeightNormalization(KernelWrapper):
    """Weight normalization: the kernel of a layer as a length and a direction per unit.

    For generative models, reinforcement learning, temporal convolutions and recurrent networks,
    where batch normalization adds noise or cannot be used. Costs one pass over the kernel per call.
    The layer computes what it did; only the path of its training changes. Where batches are
    large and independent, batch normalization usually trains faster.

    Maths:
        `w = g v / ‖v‖` for each output unit, with the norm over all axes of the kernel but those
        of the units. At the start `g = ‖v‖`. With `data_init` the first batch then sets
        `g = 1 / σ[t]` and `b = -μ[t] / σ[t]` for `t = v x / ‖v‖`, so that every unit begins with
        mean 0 and variance 1 before its activation.

    Args:
        data_init: Whether the first batch in training sets `g` and the bias of a dense,
            convolution, depthwise or transposed convolution layer. Others, such as recurrent
            layers, which the paper advises against, start with `g = ‖v‖` in any case.

    Behaviour:
        Training and inference are the same once `g` is set. Deterministic. `v` is the kernel of
        `layer`, so it keeps its name and path. A recurrent layer has two, a `SeparableConv2D` too.
        Regularizers see `w`; a constraint moves `w`, and `g` and `v` follow. Padded steps do not
        count in the first batch. `layer` computes in its own dtype, which this layer has by
        default.
        `remove()` returns `layer` with `w` as its kernel, for inference. A mask is passed on.

    Example:
        A kernel of ones of length 2 gets the length 6:

        >>> layer = WeightNormalization(keras.layers.Dense(1, kernel_initializer="ones"), False)
        >>> layer.build((None, 4))
        >>> g = layer.weights[0]
        >>> _ = g.assign(3 * g)
        >>> print(keras.ops.convert_to_numpy(layer(keras.ops.ones((1, 4)))))
        [[12.]]
    """

    def __init__(self, layer: keras.layers.Layer, data_init: bool = True, **kwargs: Any):
        super().__init__(layer, **kwargs)
        self.data_init = checks.boolean(self, "data_init", data_init)
        self._by_data = data_init and isinstance(layer, _SET_BY_DATA)

    def build(self, input_shape: Shape) -> None:
        self.build_layer(input_shape)
        self._kernels = [DirectedKernel(self, v) for v in self.kernels(_KERNELS)]
        if self._by_data:
            # differs from the paper: what the first batch adds to g and b stands beside them, since
            # a step on JAX cannot assign the weights that it trains
            g = self._kernels[0].g
            kwargs = {"trainable": False, "aggregation": "mean", "autocast": False}
            kwargs, shape = {**kwargs, "dtype": g.dtype}, g.shape
            self._g1 = self.add_weight(shape, "zeros", name="g_by_data", **kwargs)
            self._b1 = self.add_weight((math.prod(shape),), "zeros", name="bias_by_data", **kwargs)
            self._seen = self.add_weight((), "zeros", name="data_seen", **kwargs)

    def call(
        self, x: Tensor, training: bool | None = False, mask: Tensor | None = None, **kwargs: Any
    ) -> Tensor:
        if not self._by_data:
            return self.call_layer([(k.v, k.weight(k.v)) for k in self._kernels], x, mask, **kwargs)
        (kernel,), bias = self._kernels, self.layer.bias
        g1, b1 = self._g1.value, self._b1.value
        if training and self.trainable:
            state = (g1, b1, self._seen.value)
            state = ops.cond(state[2] > 0, lambda: state, lambda: self._from_data(x, mask))
            g1, b1, seen = map(ops.stop_gradient, state)
            self._g1.assign(g1)
            self._b1.assign(b1)
            self._seen.assign(seen)
        values = [(kernel.v, kernel.weight(kernel.v, g1))]
        values += [] if bias is None else [(bias, bias + b1)]
        return self.call_layer(values, x, mask, **kwargs)

    def _from_data(self, x, mask):
        """Return what a batch adds to `g` and to the bias, and 1, or zeros where it is constant."""
        (kernel,), bias = self._kernels, self.layer.bias
        g = at_least_float32(kernel.g)
        b = 0.0 if bias is None else at_least_float32(bias)
        t = at_least_float32(self._before_activation(at_least_float32(x)))
        if getattr(self.layer, "data_format", None) == "channels_first":
            t = ops.moveaxis(t, 1, -1)
        counts = ops.ones_like(t[..., :1])
        if mask is not None and len(mask.shape) == len(t.shape) - 1:
            counts = counts * ops.cast(ops.expand_dims(mask, -1), t.dtype)
        axes = tuple(range(len(t.shape) - 1))
        n = ops.sum(counts)
        μ = ops.divide_no_nan(ops.sum(counts * t, axis=axes), n)
        σ2 = ops.divide_no_nan(ops.sum(counts * ops.square(t - μ), axis=axes), n)
        varies = σ2 > 1e-12
        scale = ops.where(varies, ops.rsqrt(ops.where(varies, σ2, 1.0)), 0.0)
        g1 = ops.where(ops.reshape(varies, g.shape), ops.reshape(scale, g.shape) - g, 0.0)
        b1 = ops.where(varies, -μ * scale - b, 0.0)
        state = zip((g1, b1, ops.any(varies)), (self._g1, self._b1, self._seen), strict=True)
        return tuple(ops.cast(new, old.dtype) for new, old in state)

    def _before_activation(self, x):
        """Return `t = v x / ‖v‖`."""
        (kernel,), layer = self._kernels, self.layer
        plain = object.__new__(type(layer))  # the layer without its activation, of the same weights
        vars(plain).update(vars(layer), activation=keras.activations.linear)
        state = [(v, v.value) for v in layer.variables if v is not kernel.v]
        state = [(v, ops.zeros_like(value) if v is layer.bias else value) for v, value in state]
        with keras.StatelessScope([(kernel.v, kernel.direction(kernel.v)), *state]):
            return plain.call(x)

    def remove(self) -> keras.layers.Layer:
        """Return the wrapped layer with `w` as its kernel, a plain layer from now on."""
        for kernel in self._kernels:
            w = kernel.weight(kernel.v, self._g1.value if self._by_data else 0.0)
            kernel.v.assign(w)
            kernel.g.assign(kernel.length(w))
            kernel.v.regularizer, kernel.v.constraint = kernel.regularizer, kernel.constraint
        if self._by_data:
            if self.layer.bias is not None:
                self.layer.bias.assign(self.layer.bias + self._b1)
            for added in (self._g1, self._b1):
                added.assign(ops.zeros(added.shape))
        return self.layer
