"""Common ground of the blocks of convolutions: normalizations, initializers, sizes."""

import math
from collections.abc import Sequence
from typing import Any

import keras

from kcatalog import checks
from kcatalog.types import KerasObject, Shape


def normalization_layer(
    normalization: str | keras.layers.Layer | None, channels: int, **overrides: Any
) -> keras.layers.Layer | None:
    """Return a new layer that normalizes channels, the last axis, or None.

    Args:
        normalization: what `checks.normalization` returned: a name, a layer, which is copied, or
            None.
        channels: their number.
        overrides: arguments of the layer that replace its own.
    """
    if normalization is None:
        return None
    makers = {
        "batch": keras.layers.BatchNormalization,
        "layer": keras.layers.LayerNormalization,
        "group": lambda: keras.layers.GroupNormalization(math.gcd(32, channels)),
        "instance": lambda: keras.layers.GroupNormalization(-1),
    }
    layer = makers[normalization]() if normalization in makers else normalization
    return type(layer).from_config({**layer.get_config(), **overrides})


def from_zero(
    normalization: str | keras.layers.Layer | None, kernel_initializer: KerasObject, channels: int
) -> tuple[Any, ...]:
    """Return a normalization and an initializer with which a convolution's result starts as zero.

    The scale of the normalization starts at zero, or the kernel where there is no scale.
    """
    layer = normalization_layer(normalization, channels)
    config = layer.get_config() if layer is not None else {}
    if "gamma_initializer" in config and config.get("scale", True):
        return normalization_layer(layer, channels, gamma_initializer="zeros"), kernel_initializer
    return normalization, "zeros"


def another(initializer: KerasObject) -> Any:
    """Return an initializer that draws other numbers, unless it has a seed or is a function."""
    if isinstance(initializer, keras.initializers.Initializer):
        return type(initializer).from_config(initializer.get_config())
    return initializer


def inside(block: keras.layers.Layer, name: str) -> dict[str, Any]:
    """Return the arguments that a layer inside a block takes over from it."""
    return {
        "name": name,
        "dtype": block.dtype_policy,
        "trainable": block.trainable,
        "data_format": "channels_last",
    }


def both(size: Any) -> Any:
    """Return height and width of a size given as one number or two."""
    return tuple(size) if isinstance(size, list | tuple) else (size, size)


def conv_size(
    size: Any,
    kernel_size: int | Sequence[int],
    strides: int | Sequence[int],
    padding: Any,
    dilation_rate: int | Sequence[int] = 1,
) -> int | None:
    """Return the height or the width of a convolution's result; None if unknown.

    >>> conv_size(7, 3, 2, "same"), conv_size(7, 3, 2, "valid", dilation_rate=2)
    (4, 2)
    """
    if size is None:
        return None
    beyond = (kernel_size - 1) * dilation_rate if padding == "valid" else 0
    return -(-(size - beyond) // strides)


def strides_or_dilation(
    owner: object, strides: int | Sequence[int], dilation_rate: int | Sequence[int]
) -> None:
    """Refuse strides and dilation together, which TensorFlow's convolutions cannot do."""
    if max(both(strides)) > 1 and max(both(dilation_rate)) > 1:
        rule = f"1 with strides of {strides}"
        raise checks.error(owner, "dilation_rate", rule, dilation_rate)


def whole_groups(owner: object, groups: Any, number: int, of: int) -> None:
    """Refuse groups that do not divide a number of channels or filters."""
    if number % groups:
        raise checks.error(owner, "groups", f"a divisor of the {number} {of}", groups)


def kernel_and_bias(
    layer: keras.layers.Layer, kernel_shape: Shape, use_bias: bool
) -> tuple[Any, ...]:
    """Add the weights of a convolution to a layer with Keras's arguments for them; `b` or None."""
    W = layer.add_weight(
        kernel_shape,
        layer.kernel_initializer,
        regularizer=layer.kernel_regularizer,
        constraint=layer.kernel_constraint,
        name="kernel",
    )
    if not use_bias:
        return W, None
    b = layer.add_weight(
        kernel_shape[-1:],
        layer.bias_initializer,
        regularizer=layer.bias_regularizer,
        constraint=layer.bias_constraint,
        name="bias",
    )
    return W, b
