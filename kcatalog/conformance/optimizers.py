"""Checks for optimizers, wrappers included."""

from __future__ import annotations

import pickle
import tempfile
import types
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from kcatalog.conformance import backend, descent
from kcatalog.conformance.subject import Subject, close, finite, require
from kcatalog.conformance.suite import check

# --- it optimizes -----------------------------------------------------------------------


def _quadratic(w):
    curvature = np.array([1.0, 2.0, 5.0])
    return 0.5 * np.sum(curvature * w**2), curvature * w


def _rosenbrock(w):
    bend = w[1] - w[0] ** 2
    gradient = [-2 * (1 - w[0]) - 8 * w[0] * bend, 4 * bend, 2 * w[2]]
    return (1 - w[0]) ** 2 + 2 * bend**2 + w[2] ** 2, np.array(gradient)


def _logistic(w):
    x = np.array([[1.0, 0.2, 0.1], [0.5, 1.0, -0.3], [0.2, -0.4, 1.0], [1.0, 1.0, 1.0]])
    margins = x @ w
    return np.sum(np.logaddexp(0, -margins)), -x.T @ (0.5 - 0.5 * np.tanh(margins / 2))


_TARGETS = {"quadratic": _quadratic, "rosenbrock": _rosenbrock, "logistic": _logistic}


def _rates(s: Subject) -> list[dict[Any, Any]]:
    """Return settings to converge with. Without a card it is any rate: Keras's own are small."""
    rates = () if s.has_card else (0.1, 0.01, 1.0, 10.0)
    return [*({"learning_rate": rate} for rate in rates), {}]


@check("optimizers", variants=tuple(_TARGETS))
def converges(s: Subject, target: Any) -> None:
    """It brings standard targets down to a tenth of where they started, and lower still later."""
    function, ends = _TARGETS[target], []
    for settings in _rates(s):
        optimizer = descent.part(s)
        if settings:
            optimizer.learning_rate = settings["learning_rate"]
        w = keras.Variable(np.array([-1.0, 1.5, -2.0], "float32"), name="w")
        start, _ = function(backend.as_numpy(w.value).astype("float64"))
        step = descent.steps(optimizer, w)
        for _ in range(400):
            _, gradient = function(backend.as_numpy(w.value).astype("float64"))
            step(ops.convert_to_tensor(gradient.astype("float32")))
        optimizer.finalize_variable_values([w])
        end, _ = function(backend.as_numpy(w.value).astype("float64"))
        if end < 0.1 * start:
            return
        ends.append(f"{settings.get('learning_rate', 'default')}: {end:.3g}")
    require(False, f"{target}: from {start:.3g} only to this, by learning rate: {', '.join(ends)}")


# --- it stops and goes on ---------------------------------------------------------------


@check("optimizers")
def resumes(s: Subject) -> None:
    """Saved in the middle of a run and loaded, the next steps are the same, and so is the end."""
    schedule = keras.optimizers.schedules.ExponentialDecay(descent.RATE, 2, 0.5)
    settings = {"learning_rate": schedule, "use_ema": True, "gradient_accumulation_steps": 3}
    data, model = descent.data(s), descent.model(descent.make(s, **settings), run_eagerly=True)
    for i in range(4):  # not `fit`: that would put averages into the model
        model.train_on_batch(*[a[8 * i : 8 * i + 8] for a in data])
    again = _reloaded(s, model)
    state = [backend.as_numpy(v.value) for v in again.optimizer.variables]
    descent.all_close(
        state, [backend.as_numpy(v.value) for v in model.optimizer.variables], "state"
    )
    again.run_eagerly = True
    ended, expected = descent.fit(again, data), descent.fit(model, data)
    descent.all_close(ended, expected, "after resuming", rtol=1e-6, atol=1e-7)
    saved = [backend.as_numpy(v.value) for v in _reloaded(s, model).trainable_variables]
    descent.all_close(saved, expected, "saved at the end")
    model.optimizer.finalize_variable_values(model.trainable_variables)
    final = [backend.as_numpy(v.value) for v in model.trainable_variables]
    descent.all_close(final, expected, "`finalize_variable_values` after `fit`")


def _reloaded(s: Subject, model):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return keras.models.load_model(path, custom_objects={s.name: s.cls})


# --- on every path ----------------------------------------------------------------------


@check("optimizers", when=lambda s: backend.COMPILES)
def compiled_equals_eager(s: Subject) -> None:
    """`fit` gives the same weights compiled and step by step."""
    eager = descent.model(descent.make(s), run_eagerly=True)
    compiled = descent.model(descent.make(s), jit_compile=True)
    expected = descent.fit(eager, descent.data(s))
    descent.all_close(descent.fit(compiled, descent.data(s)), expected, "compiled and eager")


@check("optimizers", when=lambda s: backend.NAME == "jax")
def stateless_equals_stateful(s: Subject) -> None:
    """JAX's stateless path, compiled, gives what `apply` gives step by step."""
    eager, expected = descent.make(s), descent.weight("w")
    optimizer, w = descent.make(s), descent.weight("w")
    optimizer.build([w])
    step = backend.compiled(optimizer.stateless_apply)
    weights, state = [w.value], [v.value for v in optimizer.variables]
    for g in descent.gradients(s):
        descent.apply(eager, ops.convert_to_tensor(g), expected)
        weights, state = step(state, [g], weights)
        close(weights[0], expected.value, "the weight")


# --- in half precision, and at any learning rate -------------------------------------------


@check("optimizers")
def skips_overflow(s: Subject) -> None:
    """A step that loss scaling skips changes nothing and is not counted."""
    gradients = descent.gradients(s)
    expected = descent.run(descent.make(s), gradients)
    with_overflow = np.stack([gradients[0], np.full_like(gradients[0], np.inf), *gradients[1:]])
    factors = np.array([1024.0, 1.0, 512.0, 512.0, 512.0], "float32").reshape(-1, 1, 1)
    inner = descent.make(s)
    optimizer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=1024.0)
    trajectory = descent.run(optimizer, with_overflow * factors)
    close(trajectory[1], trajectory[0], "after an overflow")
    close(trajectory[-1], expected[-1], "after going on")
    count = int(backend.as_numpy(inner.iterations))
    require(count == len(gradients), f"{count} updates counted, not {len(gradients)}")


@check("optimizers")
def mixed_float16(s: Subject) -> None:
    """Trained in mixed_float16, where Keras puts loss scaling around it, the loss falls."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = descent.model(descent.make(s))
    finally:
        keras.config.set_dtype_policy("float32")
    scales = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    require(scales, "Keras should scale the loss")
    history = model.fit(*descent.data(s), batch_size=8, epochs=5, verbose=0).history["loss"]
    finite(history, "the loss")
    require(history[-1] < history[0], f"the loss goes from {history[0]:.3g} to {history[-1]:.3g}")


def _set_by(optimizer, callback):
    """Let a callback of Keras set the learning rate, as it would in `fit`."""
    callback.set_model(types.SimpleNamespace(optimizer=optimizer))
    callback.on_train_begin()
    for epoch in range(3):
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, {"loss": 1.0})


@check("optimizers", variants=("assigned", "schedule", "callable", "scheduler", "plateau"))
def learning_rate_rules(s: Subject, how: str) -> None:
    """At rate 0, assigned, scheduled or set by a callback, nothing moves; and it can be read."""
    decay = keras.optimizers.schedules.ExponentialDecay(0.0, 1, 0.5)
    rates = {"schedule": decay, "callable": lambda: 0.0}
    optimizer = descent.make(s, **({"learning_rate": rates[how]} if how in rates else {}))
    if how == "assigned":
        optimizer.learning_rate = 0.0
    elif how == "scheduler":
        _set_by(optimizer, keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.0))
    elif how == "plateau":
        _set_by(optimizer, keras.callbacks.ReduceLROnPlateau("loss", factor=0.0, patience=1))
    rate = optimizer.learning_rate
    close(backend.as_numpy(getattr(rate, "value", rate)), 0.0, "learning_rate")
    close(descent.run(optimizer, descent.gradients(s))[-1], descent.start(), "at learning rate 0")


# --- it acts on what it is handed, and its state can be handed on ------------------------


@check("optimizers")
def leaves_others_alone(s: Subject) -> None:
    """A weight that `apply` is not handed, or has no gradient for, stays as it is to the end.

    A layer frozen in the middle of training is such a weight.
    """
    optimizer, trained, frozen = descent.make(s), descent.weight("w"), descent.weight("frozen")
    first, second, *others = map(ops.convert_to_tensor, descent.gradients(s, 9))
    optimizer.apply([first, second], [trained, frozen])
    optimizer.apply([second, first], [trained, frozen])
    before, moved = backend.as_numpy(frozen.value), backend.as_numpy(trained.value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns of a gradient that is None
        optimizer.apply([first, None], [trained, frozen])
    for g in others:
        optimizer.apply([g], [trained])
    after = backend.as_numpy(frozen.value)
    require(np.array_equal(after, before), "a weight is moved that `apply` was not handed")
    optimizer.finalize_variable_values([trained])
    after = backend.as_numpy(frozen.value)
    require(np.array_equal(after, before), "finalize_variable_values writes outside of `var_list`")
    require(not np.allclose(backend.as_numpy(trained.value), moved), "the other weight stays, too")


@check("optimizers")
def empty_apply(s: Subject) -> None:
    """`apply([], [])` is no step, also before the first; no gradient at all is an error."""
    expected = descent.run(descent.make(s), descent.gradients(s, 4))
    optimizer, w = descent.make(s), descent.weight("w")
    optimizer.apply([], [])
    for i, g in enumerate(descent.gradients(s, 4)):
        optimizer.apply([ops.convert_to_tensor(g)], [w])
        optimizer.apply([], [])
        close(backend.as_numpy(w.value), expected[i], f"step {i + 1} among empty ones")
    try:
        optimizer.apply([None], [w])
    except ValueError:
        return
    require(False, "gradients that are all None should raise a ValueError, as in Keras")


@check("optimizers")
def pickles(s: Subject) -> None:
    """Pickled and read again it has the same configuration, and trains."""
    optimizer = descent.make(s)
    with keras.saving.custom_object_scope({s.name: s.cls}):
        again = pickle.loads(pickle.dumps(optimizer))  # noqa: S301 - our own bytes
    require(str(again.get_config()) == str(optimizer.get_config()), "pickling changes the config")
    gradients = descent.gradients(s, 1)
    close(descent.run(again, gradients)[0], descent.run(optimizer, gradients)[0], "a step")


@check("optimizers", variants=("NonNeg", "UnitNorm"))
def keeps_constraints(s: Subject, name: str) -> None:
    """A weight obeys its constraint after every step, and when training has ended."""
    optimizer, w = descent.make(s), descent.weight("w")
    w.constraint = getattr(keras.constraints, name)()
    other = descent.weight("other")
    for g in map(ops.convert_to_tensor, descent.gradients(s, 7)):
        optimizer.apply([g, g], [w, other])
        allowed = backend.as_numpy(w.constraint(w.value))
        close(backend.as_numpy(w.value), allowed, f"{name} after a step")
    optimizer.finalize_variable_values([w, other])
    allowed = backend.as_numpy(w.constraint(w.value))
    close(backend.as_numpy(w.value), allowed, f"{name} after finalize_variable_values")


@check("optimizers")
def overwrites_with_gradient(s: Subject) -> None:
    """A variable with `overwrite_with_gradient` (a float8 scale) becomes its gradient."""
    optimizer, w, scale = descent.make(s), descent.weight("w"), descent.weight("scale")
    scale.overwrite_with_gradient = True
    for g in map(ops.convert_to_tensor, descent.gradients(s, 7)):
        optimizer.apply([g, g], [scale, w])
        close(backend.as_numpy(scale.value), backend.as_numpy(g), "the variable")
    optimizer.finalize_variable_values([scale, w])
    close(backend.as_numpy(scale.value), backend.as_numpy(g), "the variable at the end")
    require(not np.allclose(backend.as_numpy(w.value), descent.start()), "the weight stays")
