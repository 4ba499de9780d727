"""Checks that Keras's settings take effect in every optimizer, and inside every wrapper."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
from keras import ops

from kcatalog.conformance import backend, descent
from kcatalog.conformance.subject import Subject, close, require
from kcatalog.conformance.suite import check
from kcatalog.optimizers.wrappers.delegate import Inner

# One with each kind of slots, where trying all takes too long: tracing for two replicas takes
# seconds, and on the second and third backend what differs is the backend, not the optimizer.
_TWO = ("Nesterov", "AdamW")


def _inner(s: Subject) -> tuple[Any, ...]:
    """Return the optimizers that a wrapper is tried around: on TensorFlow, around all."""
    every = tuple(descent.INNER) if backend.NAME == "tensorflow" else _TWO
    return every if descent.is_wrapper(s) else ()


_settings_check = functools.partial(check, "optimizers", variants=_inner)


@_settings_check()
def decays_weights(s: Subject, inner: Inner = "SGD") -> None:
    """Weight decay takes its share of the learning rate off a weight that is not excluded."""
    zeros, moved = np.zeros((1, 4, 3), "float32"), []
    for decay in (0.0, 0.5):
        optimizer = descent.make(s, inner, weight_decay=decay)
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        w, kept = descent.weight("w"), descent.weight("bias")
        optimizer.apply([ops.convert_to_tensor(zeros[0])] * 2, [w, kept])
        moved.append([backend.as_numpy(v.value) for v in (w, kept)])
    rate = float(backend.as_numpy(ops.convert_to_tensor(optimizer.learning_rate)))
    (plain, kept_plain), (decayed, kept) = moved
    close(decayed - plain, -0.5 * rate * descent.start(), "what decay takes off")
    close(kept, kept_plain, "a weight excluded from decay")


@_settings_check()
def averages_weights(s: Subject, inner: Inner = "SGD") -> None:
    """Keras's moving average (`use_ema`) follows the weights, and ends in the model."""
    path = descent.run(descent.make(s, inner), descent.gradients(s, 2))
    optimizer = descent.make(s, inner, use_ema=True, ema_momentum=0.75)
    w = descent.weight("w")
    for g in descent.gradients(s, 2):
        optimizer.apply([ops.convert_to_tensor(g)], [w])
    optimizer.finalize_variable_values([w])
    close(backend.as_numpy(w.value), 0.75 * path[0] + 0.25 * path[1], "the average")


@_settings_check()
def accumulates_gradients(s: Subject, inner: Inner = "SGD") -> None:
    """Two micro-batches make the step that their mean makes."""
    micro = descent.gradients(s, 8)
    means = (micro[0::2] + micro[1::2]) / 2
    accumulated = descent.run(descent.make(s, inner, gradient_accumulation_steps=2), micro)
    close(accumulated[0], descent.start(), "before the first full batch")
    expected = descent.run(descent.make(s, inner), means)
    for a, b in zip(accumulated[1::2], expected, strict=True):
        close(a, b, "two micro-batches and their mean")


@_settings_check()
def unscales_gradients(s: Subject, inner: Inner = "SGD") -> None:
    """Gradients of a scaled loss make the step that unscaled ones make."""
    expected = descent.run(descent.make(s, inner), descent.gradients(s))
    optimizer = descent.make(s, inner, loss_scale_factor=1024.0)
    close(backend.as_numpy(optimizer.scale_loss(ops.ones(()))), 1024.0, "scale_loss(1)")
    path = descent.run(optimizer, descent.gradients(s), scale=1024.0)
    for a, b in zip(path, expected, strict=True):
        close(a, b, "with loss_scale_factor")


@check(
    "optimizers",
    when=lambda s: not descent.is_wrapper(s),
    variants=("clipnorm", "global_clipnorm", "clipvalue"),
)
def clips_gradients(s: Subject, how: str) -> None:
    """A gradient beyond the limit makes the step of the gradient at the limit."""
    gradients = descent.gradients(s) * np.array([1000, 1, 100, 1], "float32").reshape(-1, 1, 1)
    norms = np.sqrt(np.sum(gradients**2, axis=(1, 2), keepdims=True))
    clipped = np.clip(gradients, -5, 5) if how == "clipvalue" else gradients * 5 / norms.clip(5)
    expected = descent.run(descent.make(s), clipped)
    for a, b in zip(descent.run(descent.make(s, **{how: 5.0}), gradients), expected, strict=True):
        close(a, b, f"with {how}")


_ALL = {"weight_decay": 0.1, "clipnorm": 2.0, "use_ema": True}


@_settings_check()
def copies_its_state(s: Subject, inner: Inner = "Adam") -> None:
    """With another's variables the next steps are the other's, to the bit; paths are distinct."""
    schedule = keras.optimizers.schedules.ExponentialDecay(descent.RATE, 2, 0.5)
    settings = {**_ALL, "learning_rate": schedule, "gradient_accumulation_steps": 2}
    gradients = descent.gradients(s, 13)
    original, w = descent.make(s, inner, **settings), descent.weight("w")
    step = descent.stepper(original, w)
    for g in gradients[:7]:
        step(ops.convert_to_tensor(g))
    copied, twin = descent.make(s, inner, **settings), keras.Variable(w.value, name="w")
    step_of_copy = descent.stepper(copied, twin)
    copied.set_weights([backend.as_numpy(v.value) for v in original.variables])
    for a, b in zip(original.variables, copied.variables, strict=True):
        close(backend.as_numpy(b.value), backend.as_numpy(a.value), f"set_weights: {a.path}")
    for g in gradients[7:]:
        step(ops.convert_to_tensor(g))
        step_of_copy(ops.convert_to_tensor(g))
        same = np.array_equal(backend.as_numpy(twin.value), backend.as_numpy(w.value))
        require(same, "a step after set_weights is not the other's")
    paths = [v.path for v in original.variables]
    require(len(set(paths)) == len(paths), f"two variables have one path: {sorted(paths)}")


@check(
    "optimizers",
    when=lambda s: backend.NAME == "tensorflow",
    variants=lambda s: _TWO if descent.is_wrapper(s) else (),
)
def replicas_step_as_one(s: Subject, inner: Inner = "SGD") -> None:
    """Two replicas with half of the gradient each make the steps of one device."""
    import tensorflow as tf

    strategy, gradients = descent.two_replicas(), descent.gradients(s, 4)
    settings = {**_ALL, "clipnorm": 2.0 if descent.is_wrapper(s) else None}  # Keras clips halves
    with strategy.scope():
        optimizer, w = descent.make(s, inner, **settings), descent.weight("w")
        optimizer.build([w])
    step = backend.compiled(lambda g: strategy.run(lambda: optimizer.apply([g / 2], [w])))
    for g in gradients:
        step(tf.constant(g))
    one, alone = descent.make(s, inner, **settings), descent.weight("w")
    for g in gradients:
        one.apply([tf.constant(g)], [alone])
    close(backend.as_numpy(w.value), backend.as_numpy(alone.value), "two replicas and one")


@check("optimizers", when=lambda s: backend.NAME != "jax")  # Keras's steps there take all weights
def frozen_and_thawed(s: Subject) -> None:
    """A layer frozen between two `compile` stays; thawed, it moves; unknown weights are refused."""
    model, data = descent.model(descent.make(s), run_eagerly=True), descent.data(s)
    optimizer, hidden = model.optimizer, model.layers[0]
    model.train_on_batch(*[a[:8] for a in data])
    for trainable in (False, True):
        hidden.trainable = trainable
        model.compile(optimizer, "mse", run_eagerly=True)
        before = backend.as_numpy(hidden.kernel.value)
        model.train_on_batch(*[a[8:16] for a in data])
        moved = not np.array_equal(backend.as_numpy(hidden.kernel.value), before)
        require(moved == trainable, f"with trainable={trainable} the layer moved: {moved}")
    late = keras.Variable(descent.start(), name="late")
    try:
        optimizer.apply([ops.ones((4, 3))], [late])
    except ValueError:
        return
    require(False, "a variable added after `build` should raise a ValueError, as in Keras")


@check("optimizers")
def steps_of_each_weight(s: Subject) -> None:
    """A weight moves as it does alone when others of any size are updated with it."""
    gradients = descent.gradients(s, 5)
    expected = descent.run(descent.make(s), gradients)
    optimizer, w = descent.make(s), descent.weight("w")
    others = [keras.Variable(np.ones(n, "float32"), name=f"of_{n}") for n in (1, 7, 2**18)]
    for g, wanted in zip(gradients, expected, strict=True):
        small = [ops.convert_to_tensor(g), *(0.1 * ops.ones(v.shape) for v in others)]
        optimizer.apply([small[1], small[0], *small[2:]], [others[0], w, *others[1:]])
        close(backend.as_numpy(w.value), wanted, "a weight beside others")
