"""One training step with a part of any kind: what the common checks mean by using it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from kcatalog.conformance import backend, descent
from kcatalog.conformance.adapter import Adapter
from kcatalog.conformance.subject import Subject, finite, require
from kcatalog.ops.precision import as_floats


def exercise(s: Subject, part: Any) -> dict[str, np.ndarray]:
    """Use the part once as training would; the numbers that came out, by name."""
    return _STEPS[s.kind](s, part)


def mode_of(layer: keras.layers.Layer, training: bool = False) -> dict[Any, Any]:
    """Return the `training` argument of a layer that takes one; by default some layers train."""
    return {"training": training} if "training" in inspect.signature(layer.call).parameters else {}


def layer_function(layer: keras.layers.Layer, training: bool):
    """A built layer as a function `(weights, input) -> output` without side effects."""
    other = [backend.as_numpy(v) for v in layer.non_trainable_variables]
    mode = mode_of(layer, training)

    def function(weights, x):
        return layer.stateless_call(weights, [ops.convert_to_tensor(o) for o in other], x, **mode)[
            0
        ]

    return function


def as_layer(s: Subject, layer: keras.layers.Layer):
    """The layer itself, or one of a float tensor around it: a cell inside Keras's RNN."""
    if s.adapted:
        ids = s.card.example.classes if s.card.example.predictions == "tokens" else None
        adapter = Adapter(layer, s.shapes, ids, dtype=layer.dtype_policy)
        return backend.made_like(adapter, layer)
    if "cell" in s.tags:
        rnn = keras.layers.RNN(layer, return_sequences=True, dtype=layer.dtype_policy)
        return backend.made_like(rnn, layer)
    return layer


def _layer_step(s, part):
    layer, x = as_layer(s, part), s.inputs()
    build(s, layer)
    function = layer_function(layer, training=True)
    weights = [backend.as_numpy(v) for v in layer.trainable_variables]

    def loss(x, *weights):
        y = function(list(weights), x)  # perhaps whole numbers, such as tokens
        return ops.sum(ops.square(as_floats(y, layer.compute_dtype)))

    value, gradients = backend.value_and_gradients(loss, [x, *weights])
    return {"output": value, **{f"gradient {i}": g for i, g in enumerate(gradients)}}


def build(s: Subject, layer: keras.layers.Layer) -> None:
    """Build a layer for the example's input, the batch size unknown."""
    if s.has_card:
        layer.build((None, *s.input_shape))
    else:  # those inside may have no `build` and are built when called
        layer(keras.Input(s.input_shape, dtype=layer.dtype_policy.variable_dtype))


def moved_layer(s: Subject, **overrides: Any):
    """Return the example layer, built, its weights moved off their initial zeros and ones."""
    layer = as_layer(s, s.make(**overrides))
    build(s, layer)
    rng = s.rng()
    for v in layer.trainable_variables:
        value = backend.as_numpy(v)
        v.assign(value + 0.1 * rng.normal(size=value.shape))
    return layer


def run_layer(layer: keras.layers.Layer, x, training: bool = False, **kwargs: Any) -> np.ndarray:
    """Return the output of a built layer, given those of the arguments that it takes."""
    accepted = inspect.signature(layer.call).parameters
    kwargs = {k: v for k, v in {**kwargs, "training": training}.items() if k in accepted}
    return backend.as_numpy(backend.call_layer(layer, ops.convert_to_tensor(x), **kwargs))


def model_around(s: Subject, layer: keras.layers.Layer, mask: bool = False):
    """Return a functional model of a layer, behind `Masking` if it should get a mask."""
    inputs = keras.Input(s.input_shape, name="input")
    x = keras.layers.Masking(0.0)(inputs) if mask else inputs
    return keras.Model(inputs, layer(x))


def all_steps(s: Subject) -> dict[Any, Any]:
    """Return the arguments with which a recurrent layer returns all steps."""
    return {"return_sequences": True} if "return_sequences" in s.signature else {}


def is_sequence(s: Subject) -> bool:
    """Return whether a sample is a sequence of vectors."""
    return not s.adapted and len(s.card.example.shape or ()) == 2


def call_on_shapes(s: Subject, layer: keras.layers.Layer, shapes: Any):
    """Call a layer of `as_layer` on symbolic inputs of other shapes than the example's."""
    if s.adapted:
        return layer.fed([keras.Input(shape, dtype=layer.input_dtype) for shape in shapes])
    return layer(keras.Input(shapes[0]))


@functools.lru_cache(maxsize=32)  # the checks of a part run one after the other
def draws(s: Subject, training: bool) -> bool:
    """Return whether a layer draws random numbers: a second call gives another output."""
    if s.has_card and not training:
        return False
    layer, x = as_layer(s, s.make()), ops.convert_to_tensor(s.inputs())
    build(s, layer)
    mode = mode_of(layer, training)
    first, second = (backend.as_numpy(backend.call_layer(layer, x, **mode)) for _ in range(2))
    return not np.array_equal(first, second, equal_nan=True)


def repeats(s: Subject) -> bool:
    """Return whether equal input gives equal output at inference."""
    return not draws(s, training=False)


def exact_gradients(
    fn: Callable[..., Any], arrays: Any, rng: np.random.Generator, names: Sequence[str]
) -> None:
    """Require the gradients of a function to equal difference quotients along random directions.

    A part may compute in float32 whatever it is given, and then the quotient over a small step is
    rounding; over a large step it may cross a kink. So another step decides where its quotient is
    nearer to the gradient than to those before it.
    """
    for i, gradient, quotient in backend.directional_derivatives(fn, arrays, rng):
        what, quotients = f"the gradient for {names[i]}", []
        finite(gradient, what)
        for step, (rtol, atol) in backend.STEPS:
            number = quotient(step)
            rounded = all(abs(q - number) > abs(gradient - number) for q in quotients)
            if rounded and np.isclose(gradient, number, rtol, atol):
                break
            quotients.append(number)
        else:
            require(False, f"{what} is {gradient:.6g} where differences give {quotients[0]:.6g}")


def loss_gradient(loss: Any, y_true, y_pred, dtype: str = "float32"):
    """Return a loss's value and, in a list, its gradient for predictions, cast to `dtype` first."""

    def function(p, y):
        return loss(y, ops.cast(p, dtype))

    return backend.value_and_gradients(function, [y_pred], [y_true], shared=(loss, dtype))


def _loss_step(s, part):
    y_true, y_pred = s.targets_and_predictions()
    value, (gradient,) = loss_gradient(part, y_true, y_pred)
    return {"loss": value, "gradient": gradient}


def _metric_step(s, part):
    part.update_state(*s.targets_and_predictions())
    return {"result": part.result()}


def _regularizer_step(s, part):
    value, (gradient,) = backend.value_and_gradients(part, [s.weight()])
    return {"penalty": value, "gradient": gradient}


def _constraint_step(s, part):
    return {"weight": backend.as_numpy(part(ops.convert_to_tensor(s.weight())))}


def _initializer_step(s, part):
    return {"weight": backend.as_numpy(part(s.weight().shape, dtype="float32"))}


def _optimizer_step(s, part):
    variable = keras.Variable(s.rng().normal(size=(4, 3)).astype("float32"), name="w")
    descent.ready(part).build([variable])
    for _ in range(2):
        part.apply([ops.convert_to_tensor(variable.value) * 0.5])
    return {"variable": backend.as_numpy(variable)}


def _schedule_step(s, part):
    return {"learning rate": backend.as_numpy(part(3))}


def _callback_step(s, part):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")])
    model.compile("sgd", "mse", jit_compile=backend.JIT)
    x, y = np.ones((4, 3), "float32"), np.ones((4, 2), "float32")
    history = model.fit(x, y, epochs=1, verbose=0, callbacks=[part])
    return {"loss": history.history["loss"]}


def _sampler_step(s, part):
    x, y = part[0]
    return {"batch": x, "labels": y}


_STEPS = {
    "layers": _layer_step,
    "losses": _loss_step,
    "metrics": _metric_step,
    "regularizers": _regularizer_step,
    "constraints": _constraint_step,
    "initializers": _initializer_step,
    "optimizers": _optimizer_step,
    "schedules": _schedule_step,
    "callbacks": _callback_step,
    "samplers": _sampler_step,
}
