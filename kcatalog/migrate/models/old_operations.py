"""Functions for the calls of TensorFlow that Keras 2 keeps in a model as TFOpLambda layers."""

from __future__ import annotations

from keras import ops

from kcatalog.migrate.models.error import ModelError


def _axis(function, **more):
    def call(x, axis=None, keepdims=False, **ignored):
        return function(x, axis=axis, keepdims=keepdims, **more)

    return call


def _of_two(function):
    return lambda x, y, **ignored: function(x, y)


def _of_one(function):
    return lambda x, **ignored: function(x)


def _cast(x, dtype, **ignored):
    return ops.cast(x, dtype)


def _concat(values, axis, **ignored):
    return ops.concatenate(values, axis=axis)


def _stack(values, axis=0, **ignored):
    return ops.stack(values, axis=axis)


def _reshape(x, shape, **ignored):
    return ops.reshape(x, shape)


def _expand(x, axis, **ignored):
    return ops.expand_dims(x, axis)


def _squeeze(x, axis=None, **ignored):
    return ops.squeeze(x, axis)


def _transpose(x, perm=None, **ignored):
    return ops.transpose(x, perm)


def _matmul(x, b, transpose_a=False, transpose_b=False, **ignored):
    x = ops.swapaxes(x, -1, -2) if transpose_a else x
    return ops.matmul(x, ops.swapaxes(b, -1, -2) if transpose_b else b)


def _softmax(x, axis=-1, **ignored):
    return ops.softmax(x, axis=axis)


def _l2_normalize(x, axis=None, epsilon=1e-12, **ignored):
    size = ops.sum(ops.square(x), axis=axis, keepdims=True)
    return x * ops.rsqrt(ops.maximum(size, epsilon))


def _clip(x, clip_value_min, clip_value_max, **ignored):
    return ops.clip(x, clip_value_min, clip_value_max)


_CALLS = {
    "math.add": _of_two(ops.add),
    "math.subtract": _of_two(ops.subtract),
    "math.multiply": _of_two(ops.multiply),
    "math.truediv": _of_two(ops.true_divide),
    "math.divide": _of_two(ops.true_divide),
    "math.maximum": _of_two(ops.maximum),
    "math.minimum": _of_two(ops.minimum),
    "math.pow": _of_two(ops.power),
    "math.reduce_mean": _axis(ops.mean),
    "math.reduce_sum": _axis(ops.sum),
    "math.reduce_max": _axis(ops.max),
    "math.reduce_min": _axis(ops.min),
    "math.l2_normalize": _l2_normalize,
    "nn.softmax": _softmax,
    "nn.gelu": lambda x, approximate=False, **ignored: ops.gelu(x, approximate=approximate),
    "nn.leaky_relu": lambda x, alpha=0.2, **ignored: ops.leaky_relu(x, negative_slope=alpha),
    "linalg.matmul": _matmul,
    "cast": _cast,
    "concat": _concat,
    "stack": _stack,
    "reshape": _reshape,
    "expand_dims": _expand,
    "squeeze": _squeeze,
    "compat.v1.squeeze": _squeeze,
    "transpose": _transpose,
    "compat.v1.transpose": _transpose,
    "clip_by_value": _clip,
}
for _name in ("add", "sub", "mul", "truediv", "pow"):
    _full = {"sub": "subtract", "mul": "multiply"}.get(_name, _name)
    _CALLS[f"__operators__.{_name}"] = _CALLS[f"math.{_full}"]
for _name in ("abs", "exp", "log", "negative", "rsqrt", "sqrt", "square", "sigmoid", "tanh"):
    _CALLS[f"math.{_name}"] = _of_one(getattr(ops, _name))
for _name in ("relu", "relu6", "sigmoid", "tanh", "elu", "selu", "silu", "softplus"):
    _CALLS[f"nn.{_name}"] = _of_one(getattr(ops, _name))


def operation(config: dict):
    """Return the function of Keras that does what a TFOpLambda layer does."""
    name = config.get("function", "")
    if name not in _CALLS:
        raise ModelError(
            f"The model calls tf.{name or config['name']}, which has no counterpart here: write it "
            "with keras.ops in the new model, and give the weights to that by --into."
        )
    return _CALLS[name]
