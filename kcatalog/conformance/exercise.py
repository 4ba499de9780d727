"""One training step with a part of any kind: what the common checks mean by using it."""

from __future__ import annotations

import inspect
from dataclasses import replace

import keras
import numpy as np
from keras import ops

from kcatalog.card import Card, Example
from kcatalog.conformance import backend
from kcatalog.conformance.subject import CheckError, Subject


def exercise(s: Subject, part) -> dict[str, np.ndarray]:
    """Use the part once as training would; the numbers that came out, by name."""
    return _STEPS[s.kind](s, part)


_SCORES = [Example(shape=(5,), targets=t) for t in ("one_hot", "labels", "real")]
_GUESSES = {
    "layers": [Example(shape=shape) for shape in ((8, 8, 4), (7, 5), (6,))],
    "losses": _SCORES,
    "metrics": _SCORES,
    "samplers": [Example({"x": [[float(i)] for i in range(48)], "y": [i % 8 for i in range(48)]})],
}


def guess_example(s: Subject) -> Subject:
    """A part without a card, with the first data that its default arguments can be used on.

    Raises:
        CheckError: it cannot be used on any.
    """
    reason = None
    for example in _GUESSES.get(s.kind, [Example(shape=(4, 3))]):
        guess = replace(s, card=Card(example=example))
        try:
            exercise(guess, guess.make())
            return guess
        except Exception as e:  # a part that is not made for such data may raise anything
            reason = reason or e
    raise CheckError(
        f"{s.name} bears no card, and its default arguments cannot be used on the usual shapes "
        f"({type(reason).__name__}: {reason}). Say what to try it on:\n"
        "    from kcatalog.card import Example\n"
        "    from kcatalog.registry import component\n\n"
        "    @component(example=Example({...arguments...}, shape=(...one sample's shape...)))\n"
        f"    class {s.name}(...):"
    )


def layer_function(layer, training: bool):
    """A built layer as a function `(weights, input) -> output` without side effects."""
    other = [backend.as_numpy(v) for v in layer.non_trainable_variables]
    mode = {"training": training} if "training" in inspect.signature(layer.call).parameters else {}

    def function(weights, x):
        return layer.stateless_call(weights, [ops.convert_to_tensor(o) for o in other], x, **mode)[
            0
        ]

    return function


def as_layer(s: Subject, layer):
    """The layer itself; a recurrent cell inside Keras's RNN."""
    if "cell" in s.tags:
        rnn = keras.layers.RNN(layer, return_sequences=True, dtype=layer.dtype_policy)
        return backend.made_like(rnn, layer)
    return layer


def _layer_step(s, part):
    layer, x = as_layer(s, part), s.inputs()
    layer.build(x.shape)
    function = layer_function(layer, training=True)
    weights = [backend.as_numpy(v) for v in layer.trainable_variables]

    def loss(x, *weights):
        return ops.sum(ops.square(function(list(weights), x)))

    value, gradients = backend.value_and_gradients(loss, [x, *weights])
    return {"output": value, **{f"gradient {i}": g for i, g in enumerate(gradients)}}


def loss_gradient(loss, y_true, y_pred, dtype: str = "float32"):
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
    part.build([variable])
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
