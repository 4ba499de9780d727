"""Checks for optimizers and for the wrappers around them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import keras
import numpy as np
from keras import ops

from kcatalog.conformance import backend
from kcatalog.conformance.subject import Subject, close, finite, require
from kcatalog.conformance.suite import check

RATE = 0.05


def _is_wrapper(s: Subject) -> bool:
    return "wrapper" in s.tags


def _make(s: Subject, **settings):
    """The part with settings that every Keras optimizer takes; a wrapper's go to the inner one."""
    if _is_wrapper(s):
        return s.make(inner=keras.optimizers.SGD(**{"learning_rate": RATE, **settings}))
    return s.make(**settings)


def _gradients(s: Subject, steps: int = 4) -> np.ndarray:
    return s.rng().normal(size=(steps, 4, 3)).astype("float32")


def _run(optimizer, gradients, scale: float = 1.0) -> list[np.ndarray]:
    """A (4, 3) weight after each gradient is applied."""
    variable, trajectory = keras.Variable(_start(), name="w"), []
    optimizer.build([variable])
    for g in gradients:
        _apply(optimizer, ops.convert_to_tensor(g * scale), variable)
        trajectory.append(backend.as_numpy(variable.value))
    return trajectory


def _start() -> np.ndarray:
    return np.linspace(-1, 2, 12, dtype="float32").reshape(4, 3)


def _apply(optimizer, gradient, variable):
    """One step; through JAX's stateless path where Keras offers no other."""
    if backend.NAME == "jax" and isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        state = [v.value for v in optimizer.variables]
        (new,), state = optimizer.stateless_apply(state, [gradient], [variable.value])
        variable.assign(new)
        for v, value in zip(optimizer.variables, state, strict=True):
            v.assign(value)
    else:
        optimizer.apply([gradient], [variable])


def _data(s: Subject, batches: int = 6):
    x = s.rng().normal(size=(8 * batches, 5)).astype("float32")
    y = np.sin(x @ np.ones((5, 2), "float32"))
    return x, y


def _model(optimizer, **compile_args):
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [keras.Input((5,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(2)]
    )
    model.compile(optimizer, "mse", **compile_args)
    return model


def _fit(model, data, **args) -> list[np.ndarray]:
    model.fit(*data, batch_size=8, shuffle=False, verbose=0, **args)
    return [backend.as_numpy(v.value) for v in model.trainable_variables]


def _all_close(actual, expected, what: str, **tolerance):
    for i, (a, b) in enumerate(zip(actual, expected, strict=True)):
        close(a, b, f"{what}, weight {i}", **tolerance)


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
    return np.sum(np.log1p(np.exp(-margins))), -x.T @ (1 / (1 + np.exp(margins)))


_TARGETS = {"quadratic": _quadratic, "rosenbrock": _rosenbrock, "logistic": _logistic}


@check("optimizers", variants=tuple(_TARGETS))
def converges(s: Subject, target):
    """It brings standard targets down to a tenth of where they started, and lower still later."""
    optimizer, function = s.make(), _TARGETS[target]
    w = keras.Variable(np.array([-1.0, 1.5, -2.0], "float32"), name="w")
    values = []
    for _ in range(400):
        value, gradient = function(backend.as_numpy(w.value).astype("float64"))
        values.append(value)
        optimizer.apply([ops.convert_to_tensor(gradient.astype("float32"))], [w])
    optimizer.finalize_variable_values([w])
    value, _ = function(backend.as_numpy(w.value).astype("float64"))
    require(value < 0.1 * values[0], f"{target}: from {values[0]:.3g} only to {value:.3g}")


# --- it stops and goes on ---------------------------------------------------------------


@check("optimizers", variants=("plain", "use_ema", "gradient_accumulation_steps", "schedule"))
def resumes(s: Subject, setting):
    """Saved in the middle of a run and loaded, the next steps are the same."""
    schedule = keras.optimizers.schedules.ExponentialDecay(RATE, 2, 0.5)
    settings = {
        "plain": {},
        "use_ema": {"use_ema": True},
        "gradient_accumulation_steps": {"gradient_accumulation_steps": 3},
        "schedule": {"learning_rate": schedule},
    }[setting]
    data, model = _data(s), _model(_make(s, **settings))
    for i in range(4):  # not `fit`: that would put averages into the model
        model.train_on_batch(*[a[8 * i : 8 * i + 8] for a in data])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        again = keras.models.load_model(path)
    state = [backend.as_numpy(v.value) for v in again.optimizer.variables]
    _all_close(state, [backend.as_numpy(v.value) for v in model.optimizer.variables], "state")
    _all_close(_fit(again, data), _fit(model, data), "after resuming", rtol=1e-6, atol=1e-7)


# --- on every path ----------------------------------------------------------------------


@check("optimizers", when=lambda s: backend.COMPILES)
def compiled_equals_eager(s: Subject):
    """`fit` gives the same weights compiled and step by step."""
    eager = _fit(_model(_make(s), run_eagerly=True), _data(s))
    _all_close(_fit(_model(_make(s)), _data(s)), eager, "compiled and eager")


@check("optimizers", when=lambda s: backend.NAME == "jax")
def stateless_equals_stateful(s: Subject):
    """JAX's stateless path gives what `apply` gives."""
    expected = _run(_make(s), _gradients(s))
    optimizer = _make(s)
    w = keras.Variable(_start(), name="w")
    optimizer.build([w])
    step = backend.compiled(optimizer.stateless_apply)
    weights, state = [w.value], [v.value for v in optimizer.variables]
    for g, wanted in zip(_gradients(s), expected, strict=True):
        weights, state = step(state, [g], weights)
        close(weights[0], wanted, "the weight")


@check("optimizers", when=lambda s: backend.NAME == "tensorflow", variants=("plain", "clipnorm"))
def two_replicas_equal_one(s: Subject, setting):
    """Under MirroredStrategy two replicas that share a batch make the step that one makes."""
    if setting == "clipnorm" and not _is_wrapper(s):
        return  # Keras clips each replica's own gradient
    settings = {"clipnorm": 0.02} if setting == "clipnorm" else {}
    import tensorflow as tf

    with tf.distribute.MirroredStrategy(two_cpus()).scope():
        model = _model(_make(s, **settings))
    two = _fit(model, _data(s))
    _all_close(two, _fit(_model(_make(s, **settings)), _data(s)), "two replicas and one")


def two_cpus() -> list[str]:
    """The names of two logical CPU devices, made on the spot while TensorFlow still lets one."""
    import tensorflow as tf

    if (
        tf.config.get_logical_device_configuration(tf.config.list_physical_devices("CPU")[0])
        is None
    ):
        split = [tf.config.LogicalDeviceConfiguration()] * 2
        cpu = tf.config.list_physical_devices("CPU")[0]
        try:
            tf.config.set_logical_device_configuration(cpu, split)
        except RuntimeError as e:
            raise RuntimeError(
                "This check needs two logical CPUs, and TensorFlow has started with one. Call "
                "kcatalog.conformance.optimizers.two_cpus() before using TensorFlow."
            ) from e
    return [device.name for device in tf.config.list_logical_devices("CPU")[:2]]


# --- Keras's settings take effect -------------------------------------------------------


@check("optimizers")
def accumulates_gradients(s: Subject):
    """Two micro-batches make the step that their mean makes."""
    micro = _gradients(s, 8)
    means = (micro[0::2] + micro[1::2]) / 2
    accumulated = _run(_make(s, gradient_accumulation_steps=2), micro)
    close(accumulated[0], _start(), "before the first full batch")
    for a, b in zip(accumulated[1::2], _run(_make(s), means), strict=True):
        close(a, b, "two micro-batches and their mean")


@check("optimizers", variants=("loss_scale_factor", "LossScaleOptimizer"))
def scales_losses(s: Subject, how):
    """Scaled gradients make the step that unscaled ones make."""
    expected = _run(_make(s), _gradients(s))
    if how == "loss_scale_factor":
        optimizer = _make(s, loss_scale_factor=1024.0)
    else:
        optimizer = keras.optimizers.LossScaleOptimizer(_make(s), initial_scale=1024.0)
    scaled = backend.as_numpy(optimizer.scale_loss(ops.ones(())))
    close(scaled, 1024.0, "scale_loss(1)")
    for a, b in zip(_run(optimizer, _gradients(s), scale=1024.0), expected, strict=True):
        close(a, b, f"with {how}")


@check("optimizers")
def skips_overflow(s: Subject):
    """A step that loss scaling skips changes nothing and is not counted."""
    gradients = _gradients(s)
    expected = _run(_make(s), gradients)
    with_overflow = np.stack([gradients[0], np.full_like(gradients[0], np.inf), *gradients[1:]])
    factors = np.array([1024.0, 1.0, 512.0, 512.0, 512.0], "float32").reshape(-1, 1, 1)
    inner = _make(s)
    optimizer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=1024.0)
    trajectory = _run(optimizer, with_overflow * factors)
    close(trajectory[1], trajectory[0], "after an overflow")
    close(trajectory[-1], expected[-1], "after going on")
    count = int(backend.as_numpy(inner.iterations))
    require(count == len(gradients), f"{count} updates counted, not {len(gradients)}")


@check("optimizers")
def mixed_float16(s: Subject):
    """Trained in mixed_float16, where Keras puts loss scaling around it, the loss falls."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = _model(_make(s))
    finally:
        keras.config.set_dtype_policy("float32")
    scales = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    require(scales, "Keras should scale the loss")
    history = model.fit(*_data(s), batch_size=8, epochs=5, verbose=0).history["loss"]
    finite(history, "the loss")
    require(history[-1] < history[0], f"the loss goes from {history[0]:.3g} to {history[-1]:.3g}")


@check("optimizers", variants=("assigned", "schedule"))
def learning_rate_rules(s: Subject, how):
    """At rate 0, assigned or scheduled, nothing moves; and the rate can be read."""
    if how == "assigned":
        optimizer = _make(s)
        optimizer.learning_rate = 0.0
    else:
        optimizer = _make(s, learning_rate=keras.optimizers.schedules.ExponentialDecay(0.0, 1, 0.5))
    rate = optimizer.learning_rate
    close(backend.as_numpy(getattr(rate, "value", rate)), 0.0, "learning_rate")
    close(_run(optimizer, _gradients(s))[-1], _start(), "at learning rate 0")


@check("optimizers", tag="wrapper")
def decays_weights(s: Subject):
    """Without a gradient, the inner optimizer's weight decay is all that acts."""
    optimizer = _make(s, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    decayed, kept = keras.Variable(_start(), name="w"), keras.Variable(_start(), name="bias")
    zero = ops.zeros((4, 3))
    optimizer.apply([zero, zero], [decayed, kept])
    close(backend.as_numpy(decayed.value), _start() * (1 - 0.5 * RATE), "a decayed weight")
    close(backend.as_numpy(kept.value), _start(), "a weight excluded from decay")


@check("optimizers", tag="wrapper", variants=("clipnorm", "global_clipnorm", "clipvalue"))
def clips(s: Subject, how):
    """One step is no longer than the inner optimizer's clipping allows."""
    gradient = 1000 * _gradients(s, 1)
    step = np.abs(_run(_make(s, **{how: 1e-3}), gradient)[0] - _start())
    size = step.max() if how == "clipvalue" else np.linalg.norm(step)
    require(size <= 1.01e-3 * RATE, f"a step of {size:.3g} where {how} allows {1e-3 * RATE:.3g}")
    require(size > 0, "no step is taken at all")


@check("optimizers", tag="wrapper")
def averages_like_inner(s: Subject):
    """The inner moving average is kept, and ends in the model."""
    path = _run(_make(s), _gradients(s, 2))
    optimizer = _make(s, use_ema=True, ema_momentum=0.75)
    variable = keras.Variable(_start(), name="w")
    for g in _gradients(s, 2):
        optimizer.apply([ops.convert_to_tensor(g)], [variable])
    optimizer.finalize_variable_values([variable])
    close(backend.as_numpy(variable.value), 0.75 * path[0] + 0.25 * path[1], "the average")


# --- wrappers ---------------------------------------------------------------------------


@check("optimizers", tag="wrapper")
def wraps_itself(s: Subject):
    """A wrapper of a wrapper trains, counts its updates, and is saved and loaded."""
    model = _model(s.make(inner=_make(s)))
    before = _fit(model, _data(s))
    finite(np.concatenate([w.ravel() for w in before]), "a weight")
    count = int(backend.as_numpy(ops.convert_to_tensor(model.optimizer.iterations)))
    require(count == 6, f"6 steps counted as {count}")
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.keras")
        again = keras.models.load_model(Path(folder) / "model.keras")
    after = _fit(again, _data(s))
    _all_close(after, _fit(model, _data(s)), "after resuming", rtol=1e-6, atol=1e-7)


@check("optimizers", tag="wrapper")
def wraps_by_name(s: Subject):
    """The inner optimizer may be given by name, and anything else is refused."""
    require(isinstance(s.make(inner="adam").inner, keras.optimizers.Adam), "inner='adam'")
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())
    for bad in ("no_such_optimizer", None, 3, scaled):
        try:
            s.make(inner=bad)
        except ValueError as e:
            require(str(e).startswith(f"{s.name}: `inner` must be "), f"the error: {e}")
        else:
            require(False, f"inner={bad!r} is accepted")


def _alone() -> keras.optimizers.Optimizer:
    return keras.optimizers.SGD(RATE)


@check("optimizers", tag="averages-weights")
def gradient_unchanged(s: Subject):
    """The first step is the inner optimizer's own."""
    close(_run(_make(s), _gradients(s, 1))[0], _run(_alone(), _gradients(s, 1))[0], "step 1")


@check("optimizers", tag="transforms-gradients")
def gradient_changed(s: Subject):
    """The first step differs from the inner optimizer's own."""
    gradient = 100 * _gradients(s, 1)
    same = np.allclose(_run(_make(s), gradient)[0], _run(_alone(), gradient)[0])
    require(not same, "a wrapper that should change the gradient leaves it as it is")
