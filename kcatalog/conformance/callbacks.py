"""Checks for callbacks."""

from __future__ import annotations

import copy
import functools

import keras
import numpy as np
from keras import ops

from kcatalog.conformance import backend
from kcatalog.conformance.subject import Subject, require
from kcatalog.conformance.suite import check


def _train(callbacks, jit_compile=backend.COMPILES) -> list[np.ndarray]:
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(2)])
    model.compile("adam", "mse", jit_compile=jit_compile)
    x, y = rng.normal(size=(16, 3)), rng.normal(size=(16, 2))
    model.fit(x, y, epochs=2, batch_size=4, shuffle=False, verbose=0, callbacks=callbacks)
    return [backend.as_numpy(w) for w in model.weights]


@functools.cache
def _undisturbed() -> list[np.ndarray]:
    return _train([])


@check("callbacks", tag="monitoring")
def weights_untouched(s: Subject) -> None:
    """Training ends with the weights it would have without the callback."""
    for a, b in zip(_train([s.make()]), _undisturbed(), strict=True):
        require(np.allclose(a, b, rtol=1e-6, atol=1e-7), "the callback changes training")


@check("callbacks")
def copies(s: Subject) -> None:
    """It can be copied before use, as tuners do for each trial."""
    _train([copy.deepcopy(s.make())], backend.JIT)


# --- models of every kind that `fit` takes ----------------------------------------------


class _Subclassed(keras.Model):
    """A model with inputs and outputs by name, of which one layer is called twice."""

    def __init__(self, units):
        super().__init__()
        self.both = [keras.layers.Dense(units, "relu"), keras.layers.Dense(2)]

    def call(self, inputs):
        hidden = self.both[0](inputs["left"]) + self.both[0](inputs["right"])
        scores = self.both[1](hidden)
        return {"scores": scores, "half": scores / 2}


class _AddsItsLoss(keras.layers.Layer):
    def call(self, x):
        self.add_loss(ops.mean(ops.square(x)))
        return x


class _OwnStep(keras.Model):
    """A model without a compiled loss, which moves its weight by itself."""

    def __init__(self):
        super().__init__()
        self.scale = self.add_weight((), "ones")

    def call(self, x):
        return x * self.scale

    def train_step(self, *args):
        if backend.NAME == "jax":
            (trainable, *state), _ = args
            return {"loss": 0.0}, ([0.9 * w for w in trainable], *state)
        self(args[0][0])
        self.scale.assign(0.9 * self.scale)
        return {"loss": 0.0}


def _sequential(rng):
    """A Sequential model without `Input`, which `fit` builds."""
    model = keras.Sequential([keras.layers.Dense(4, "relu"), keras.layers.Dense(2)])
    model.compile("sgd", "mse", jit_compile=backend.JIT)
    return model, rng.normal(size=(4, 3)), rng.normal(size=(4, 2))


def _subclassed(rng, units=4):
    """A subclassed model with several inputs and outputs, run eagerly."""
    model = _Subclassed(units)
    model.compile("sgd", {"scores": "mse", "half": "mse"}, run_eagerly=True)
    x = {name: rng.normal(size=(4, 3)) for name in ("left", "right")}
    return model, x, {name: np.zeros((4, 2)) for name in ("scores", "half")}


def _without_targets(rng):
    """A functional model whose loss is added by a layer."""
    inputs = keras.Input((3,))
    model = keras.Model(inputs, _AddsItsLoss()(keras.layers.Dense(2, "tanh")(inputs)))
    model.compile("sgd", jit_compile=backend.JIT)
    return model, rng.normal(size=(4, 3)), None


def _own_step(rng):
    """A model with a `train_step` of its own and no loss."""
    model = _OwnStep()
    model.compile("sgd", run_eagerly=True)
    return model, rng.normal(size=(4, 3)), rng.normal(size=(4, 3))


_MODELS = {f.__name__[1:]: f for f in (_sequential, _subclassed, _without_targets, _own_step)}


def _watched(s: Subject, x, y):
    """The callback, measuring each step, with the data that the model takes as its probe."""
    wanted = {"probe": (x, y), "data": (x,), "queries": (x, [0, 0, 1, 1]), "references": None}
    wanted["every_steps"] = 1
    return s.make(**{name: value for name, value in wanted.items() if name in s.signature})


def _fit(model, x, y, callback):
    model.fit(x, y, batch_size=2, verbose=0, callbacks=[callback])


@check("callbacks", variants=tuple(_MODELS))
def any_model(s: Subject, kind: str) -> None:
    """It works on every kind of model that `fit` takes, from the first step on."""
    model, x, y = _MODELS[kind](s.rng())
    _fit(model, x, y, _watched(s, x, y))


@check("callbacks")
def several_fits(s: Subject) -> None:
    """One instance serves several trainings, of models that differ in width, as in k folds."""
    model, x, y = _subclassed(s.rng())
    callback = _watched(s, x, y)
    _fit(model, x, y, callback)
    _fit(model, x, y, callback)
    other, _, _ = _subclassed(s.rng(), units=5)
    _fit(other, x, y, callback)
