"""Checks for optimizers, wrappers included."""

from __future__ import annotations

import tempfile
from pathlib import Path

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


def _rates(s: Subject) -> list[dict]:
    """Return settings to converge with. Without a card it is any rate: Keras's own are small."""
    rates = () if s.has_card else (0.1, 0.01, 1.0, 10.0)
    return [*({"learning_rate": rate} for rate in rates), {}]


@check("optimizers", variants=tuple(_TARGETS))
def converges(s: Subject, target):
    """It brings standard targets down to a tenth of where they started, and lower still later."""
    function, ends = _TARGETS[target], []
    for settings in _rates(s):
        optimizer = s.make()
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


@check("optimizers", variants=("plain", "use_ema", "gradient_accumulation_steps", "schedule"))
def resumes(s: Subject, setting):
    """Saved in the middle of a run and loaded, the next steps are the same."""
    schedule = keras.optimizers.schedules.ExponentialDecay(descent.RATE, 2, 0.5)
    settings = {
        "plain": {},
        "use_ema": {"use_ema": True},
        "gradient_accumulation_steps": {"gradient_accumulation_steps": 3},
        "schedule": {"learning_rate": schedule},
    }[setting]
    data, model = descent.data(s), descent.model(descent.make(s, **settings))
    # TensorFlow traces a step that makes variables twice; `compiled_equals_eager` leaves them to it
    model.optimizer.build(model.trainable_variables)
    for i in range(4):  # not `fit`: that would put averages into the model
        model.train_on_batch(*[a[8 * i : 8 * i + 8] for a in data])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        again = keras.models.load_model(path, custom_objects={s.name: s.cls})
    state = [backend.as_numpy(v.value) for v in again.optimizer.variables]
    descent.all_close(
        state, [backend.as_numpy(v.value) for v in model.optimizer.variables], "state"
    )
    descent.all_close(
        descent.fit(again, data), descent.fit(model, data), "after resuming", rtol=1e-6, atol=1e-7
    )


# --- on every path ----------------------------------------------------------------------


@check("optimizers", when=lambda s: backend.COMPILES)
def compiled_equals_eager(s: Subject):
    """`fit` gives the same weights compiled and step by step."""
    eager = descent.model(descent.make(s), run_eagerly=True)
    compiled = descent.model(descent.make(s), jit_compile=True)
    expected = descent.fit(eager, descent.data(s))
    descent.all_close(descent.fit(compiled, descent.data(s)), expected, "compiled and eager")


@check("optimizers", when=lambda s: backend.NAME == "jax")
def stateless_equals_stateful(s: Subject):
    """JAX's stateless path gives what `apply` gives."""
    expected = descent.run(descent.make(s), descent.gradients(s))
    optimizer = descent.make(s)
    w = keras.Variable(descent.start(), name="w")
    optimizer.build([w])
    step = backend.compiled(optimizer.stateless_apply)
    weights, state = [w.value], [v.value for v in optimizer.variables]
    for g, wanted in zip(descent.gradients(s), expected, strict=True):
        weights, state = step(state, [g], weights)
        close(weights[0], wanted, "the weight")


@check("optimizers", when=lambda s: backend.NAME == "tensorflow")
def two_replicas_equal_one(s: Subject):
    """Under MirroredStrategy two replicas that share a batch make the step that one makes."""
    descent.replicas_agree(s)


# --- Keras's settings take effect -------------------------------------------------------


@check("optimizers")
def accumulates_gradients(s: Subject):
    """Two micro-batches make the step that their mean makes."""
    micro = descent.gradients(s, 8)
    means = (micro[0::2] + micro[1::2]) / 2
    accumulated = descent.run(descent.make(s, gradient_accumulation_steps=2), micro)
    close(accumulated[0], descent.start(), "before the first full batch")
    for a, b in zip(accumulated[1::2], descent.run(descent.make(s), means), strict=True):
        close(a, b, "two micro-batches and their mean")


@check("optimizers", variants=("loss_scale_factor", "LossScaleOptimizer"))
def scales_losses(s: Subject, how):
    """Scaled gradients make the step that unscaled ones make."""
    expected = descent.run(descent.make(s), descent.gradients(s))
    if how == "loss_scale_factor":
        optimizer = descent.make(s, loss_scale_factor=1024.0)
    else:
        optimizer = keras.optimizers.LossScaleOptimizer(descent.make(s), initial_scale=1024.0)
    scaled = backend.as_numpy(optimizer.scale_loss(ops.ones(())))
    close(scaled, 1024.0, "scale_loss(1)")
    for a, b in zip(
        descent.run(optimizer, descent.gradients(s), scale=1024.0), expected, strict=True
    ):
        close(a, b, f"with {how}")


@check("optimizers")
def skips_overflow(s: Subject):
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
def mixed_float16(s: Subject):
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


@check("optimizers", variants=("assigned", "schedule"))
def learning_rate_rules(s: Subject, how):
    """At rate 0, assigned or scheduled, nothing moves; and the rate can be read."""
    if how == "assigned":
        optimizer = descent.make(s)
        optimizer.learning_rate = 0.0
    else:
        optimizer = descent.make(
            s, learning_rate=keras.optimizers.schedules.ExponentialDecay(0.0, 1, 0.5)
        )
    rate = optimizer.learning_rate
    close(backend.as_numpy(getattr(rate, "value", rate)), 0.0, "learning_rate")
    close(descent.run(optimizer, descent.gradients(s))[-1], descent.start(), "at learning rate 0")
