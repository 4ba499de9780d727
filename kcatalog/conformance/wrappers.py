"""Checks for optimizer wrappers: the wrapped optimizer's settings, and what each kind changes."""

from __future__ import annotations

import tempfile
import types
from pathlib import Path

import keras
import numpy as np
from keras import ops

from kcatalog.conformance import backend, descent
from kcatalog.conformance.subject import Subject, close, finite, require
from kcatalog.conformance.suite import check


@check("optimizers", tag="wrapper")
def swaps_inner_average(s: Subject) -> None:
    """`keras.callbacks.SwapEMAWeights` puts the inner average into the model, and takes it out."""
    optimizer, w = descent.make(s, use_ema=True, ema_momentum=0.75), descent.weight("w")
    path = descent.run(descent.make(s), descent.gradients(s, 2))
    for g in descent.gradients(s, 2):
        optimizer.apply([ops.convert_to_tensor(g)], [w])
    callback = keras.callbacks.SwapEMAWeights()
    callback.set_model(types.SimpleNamespace(optimizer=optimizer, trainable_variables=[w]))
    before = backend.as_numpy(w.value)
    callback.on_test_begin()
    close(backend.as_numpy(w.value), 0.75 * path[0] + 0.25 * path[1], "the average, swapped in")
    callback.on_test_end()
    close(backend.as_numpy(w.value), before, "the weight, swapped back")


_SETTINGS = {
    "weight_decay": 0.5,
    "clipnorm": 2.0,
    "clipvalue": 3.0,
    "global_clipnorm": 4.0,
    "use_ema": True,
    "ema_momentum": 0.5,
    "ema_overwrite_frequency": 7,
    "loss_scale_factor": 8.0,
    "gradient_accumulation_steps": 9,
}


@check("optimizers", tag="wrapper")
def settings_of_inner(s: Subject) -> None:
    """Keras's settings are read and assigned on the inner optimizer, where they take effect."""
    for name, value in _SETTINGS.items():
        optimizer = descent.make(s)
        setattr(optimizer, name, value)
        require(getattr(optimizer.inner, name) == value, f"`{name}`, assigned, is not the inner's")
        read = getattr(descent.make(s, **{name: value}), name)
        require(read == value, f"`{name}` reads {read!r}, and the inner optimizer's is {value!r}")


@check("optimizers", tag="wrapper")
def refuses_settings(s: Subject) -> None:
    """A setting given to the wrapper's constructor is refused with the right cause."""
    for name, value in {"learning_rate": 0.1, **_SETTINGS}.items():
        try:
            s.make(**{name: value})
        except ValueError as e:
            right = str(e).startswith(f"{s.name}: `{name}` must be ") and "inner optimizer" in str(
                e
            )
            require(right, f"the error for {name}={value} should point to the inner optimizer: {e}")
        else:
            require(False, f"{name}={value} is accepted, and the inner optimizer does not have it")


# --- what a wrapper remembers ------------------------------------------------------------


def _walk(optimizer, w, gradients) -> list[np.ndarray]:
    """A weight after each gradient, and at the end of training."""
    path = []
    for g in gradients:
        optimizer.apply([ops.convert_to_tensor(g)], [w])
        path.append(backend.as_numpy(w.value))
    optimizer.finalize_variable_values([w])
    return [*path, backend.as_numpy(w.value)]


@check("optimizers", tag="wrapper", variants=("iterations", "trained_inner", "restart"))
def begins_with_the_wrapper(s: Subject, how: str) -> None:
    """Around an optimizer that has stepped, or after `restart`, it moves as a fresh one does."""
    gradients = descent.gradients(s, 8)
    expected = _walk(descent.make(s), descent.weight("w"), gradients)
    inner, w = keras.optimizers.SGD(descent.RATE), descent.weight("w")
    optimizer = descent.part(s, inner=inner)
    if how == "iterations":
        optimizer.build([w])
        optimizer.iterations.assign(1001)
    else:
        _walk(inner if how == "trained_inner" else optimizer, w, gradients[:5])
        w.assign(descent.start())
    if how == "restart":
        optimizer.restart()
    descent.all_close(_walk(optimizer, w, gradients), expected, "steps like a fresh wrapper's")


# --- layouts and magnitudes --------------------------------------------------------------


@check("optimizers", tag="wrapper")
def untouched_rows_stay(s: Subject) -> None:
    """Rows of a lookup table that no sample looks up stay as they are."""
    optimizer = descent.with_moments(s)
    table, looked_up = keras.Variable(np.ones((6, 3), "float32"), name="embeddings"), [1, 4]
    for g in descent.gradients(s, 7):
        optimizer.apply([_rows(g[:2], looked_up, 6)], [table])
    optimizer.finalize_variable_values([table])
    moved = np.abs(backend.as_numpy(table.value) - 1).max(axis=1)
    rows = [i for i in range(6) if moved[i] > 0]
    require(rows == looked_up, f"rows {rows} move where {looked_up} are looked up: {moved}")


def _rows(values, at, rows):
    """Return the gradient of a table of which some rows are looked up: on TensorFlow, slices."""
    if backend.NAME == "tensorflow":
        import tensorflow as tf

        return tf.IndexedSlices(tf.constant(values), at, (rows, values.shape[1]))
    dense = np.zeros((rows, values.shape[1]), values.dtype)
    dense[at] = values
    return ops.convert_to_tensor(dense)


@check("optimizers", tag="wrapper", variants=("float32", "float16"))
def squares_representable(s: Subject, dtype: str) -> None:
    """Gradients whose squares overflow make the steps that they make in float64."""
    weight, gradient = {"float32": (1.0, 3e19), "float16": (200.0, 300.0)}[dtype]
    gradients = gradient * descent.gradients(s, 4)

    def walk(dtype):
        w = keras.Variable(weight * descent.start(), name="w", dtype=dtype)
        return _walk(descent.make(s), w, gradients.astype(dtype))

    actual = walk(dtype)
    with backend.float64():
        expected = walk("float64")
    length = np.max(np.abs(expected - weight * descent.start()))
    grain = np.finfo(dtype).eps * np.max(np.abs(expected))
    off = np.max(np.abs(np.array(actual, "float64") - expected))
    allowed = 0.01 * length + 4 * grain
    require(off <= allowed, f"steps of {length:.3g} are off by {off:.3g} in {dtype}")


# --- what wrappers wrap ------------------------------------------------------------------


@check("optimizers", tag="wrapper")
def wraps_itself(s: Subject) -> None:
    """A wrapper of a wrapper trains, counts its updates, and is saved and loaded."""
    model = descent.model(descent.part(s, inner=descent.make(s)), run_eagerly=True)
    before = descent.fit(model, descent.data(s))
    finite(np.concatenate([w.ravel() for w in before]), "a weight")
    count = int(backend.as_numpy(ops.convert_to_tensor(model.optimizer.iterations)))
    require(count == 6, f"6 steps counted as {count}")
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.keras")
        again = keras.models.load_model(Path(folder) / "model.keras")
    again.run_eagerly = True
    after = descent.fit(again, descent.data(s))
    descent.all_close(
        after, descent.fit(model, descent.data(s)), "after resuming", rtol=1e-6, atol=1e-7
    )


@check("optimizers", tag="wrapper")
def wraps_by_name(s: Subject) -> None:
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
    return keras.optimizers.SGD(descent.RATE)


@check("optimizers", tag="averages-weights")
def gradient_unchanged(s: Subject) -> None:
    """The first step is the inner optimizer's own."""
    close(
        descent.run(descent.make(s), descent.gradients(s, 1))[0],
        descent.run(_alone(), descent.gradients(s, 1))[0],
        "step 1",
    )


@check("optimizers", tag="transforms-gradients")
def gradient_changed(s: Subject) -> None:
    """The first step differs from the inner optimizer's own."""
    gradient = 100 * descent.gradients(s, 1)
    same = np.allclose(
        descent.run(descent.make(s), gradient)[0], descent.run(_alone(), gradient)[0]
    )
    require(not same, "a wrapper that should change the gradient leaves it as it is")


@check("optimizers", tag="second-gradient")
def refuses_one_gradient(s: Subject) -> None:
    """Without a second gradient of the batch a step raises one sentence, and moves nothing."""
    optimizer, w = s.make(inner=_alone()), descent.weight("w")
    for step in (0, 1):
        try:
            optimizer.apply([ops.ones((4, 3))], [w])
        except RuntimeError as e:
            require("kcatalog.training.attach(model)" in str(e), f"the error: {e}")
        else:
            require(False, f"step {step} is taken by one gradient")
    close(backend.as_numpy(w.value), descent.start(), "the weight")


@check("optimizers", tag="second-gradient")
def steps_by_second_gradient(s: Subject) -> None:
    """`fit` makes the step that the gradient at `perturbed` makes, of the same batch."""
    x, y = descent.data(s, 1)
    model = descent.model(s.make(inner=_alone()))
    kernel = model.trainable_variables[0]
    before = [backend.as_numpy(v.value) for v in model.trainable_variables]

    def loss(*weights):
        values = zip(model.trainable_variables, map(ops.convert_to_tensor, weights), strict=True)
        with keras.StatelessScope(list(values)):
            return ops.mean(ops.square(ops.subtract(model(x), y)))

    _, first = backend.value_and_gradients(loss, before)
    uphill = model.optimizer.perturbed(first, before)
    _, second = backend.value_and_gradients(loss, [backend.as_numpy(v) for v in uphill])
    off = np.max(np.abs(second[0] - first[0]))
    require(off > 1e-4, "the second gradient is the first")
    descent.fit(model, (x, y))
    expected = before[0] - descent.RATE * second[0]
    close(backend.as_numpy(kernel.value), expected, "the first kernel", atol=1e-6)
