"""Short runs of an optimizer on fixed gradients and on a small model."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
from keras import ops

from kcatalog import training
from kcatalog.conformance import backend
from kcatalog.conformance.subject import CheckSkipped, Subject, close
from kcatalog.optimizers.wrappers.delegate import chain
from kcatalog.optimizers.wrappers.sharpness_aware import SharpnessAware
from kcatalog.types import Tensor

RATE = 0.05


def is_wrapper(s: Subject) -> bool:
    return "wrapper" in s.tags


# What wrappers are tried around; other optimizers know "" alone.
INNER = {
    "SGD": {},
    "Nesterov": {"momentum": 0.9, "nesterov": True},
    "RMSprop": {},
    "Adam": {},
    "AdamW": {"weight_decay": 0.0},
}


def make(s: Subject, inner: str = "SGD", **settings: Any):
    """The part with settings that every Keras optimizer takes; a wrapper's go to the inner one.

    Raises:
        CheckSkipped: a class without a card does not hand them on to Keras.
    """
    if is_wrapper(s):
        kind = keras.optimizers.SGD if inner == "Nesterov" else getattr(keras.optimizers, inner)
        return part(s, inner=kind(**{"learning_rate": RATE, **INNER[inner], **settings}))
    for name in settings:
        if not s.has_card and not s.accepts(name):
            raise CheckSkipped(f"{s.name} takes no `{name}`; `**kwargs` for Keras would.")
    return part(s, **settings)


def part(s: Subject, **args: Any):
    """Return the part with these arguments, ready for the checks."""
    return ready(s.make(**args))


def with_moments(s: Subject):
    """Return the part; a wrapper is made around an optimizer that keeps moments."""
    return part(s, inner=keras.optimizers.Adam(RATE)) if is_wrapper(s) else s.make()


def gradients(s: Subject, steps: int = 4) -> np.ndarray:
    return s.rng().normal(size=(steps, 4, 3)).astype("float32")


def ready(optimizer: keras.optimizers.Optimizer):
    """Return an optimizer that may be handed one gradient a step, as the checks do.

    A second gradient of the batch counts as computed already, and what steps at every second
    batch gets each gradient twice.
    """
    for part in chain(optimizer):
        if isinstance(part, SharpnessAware):
            part._second += 1
        if getattr(part, "batches_per_step", 1) == 2 and "apply" not in vars(part):
            part.apply = _twice(part.apply)
    return optimizer


def _twice(apply):
    def both(*args, **kwargs):
        apply(*args, **kwargs)
        apply(*args, **kwargs)

    return both


def run(
    optimizer: keras.optimizers.Optimizer, gradients: list[Tensor], scale: float = 1.0
) -> list[np.ndarray]:
    """A (4, 3) weight after each gradient is applied."""
    ready(optimizer)
    variable, trajectory = keras.Variable(start(), name="w"), []
    step = stepper(optimizer, variable)
    for g in gradients:
        step(ops.convert_to_tensor(g * scale))
        trajectory.append(backend.as_numpy(variable.value))
    return trajectory


def start() -> np.ndarray:
    return np.linspace(-1, 2, 12, dtype="float32").reshape(4, 3)


def weight(name: str, dtype: str = "float32"):
    return keras.Variable(start().astype(dtype), name=name, dtype=dtype)


def apply(optimizer: keras.optimizers.Optimizer, gradient, variable: keras.Variable) -> None:
    """One step; through JAX's stateless path where Keras offers no other."""
    if backend.NAME == "jax" and isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        state = [v.value for v in optimizer.variables]
        (new,), state = optimizer.stateless_apply(state, [gradient], [variable.value])
        variable.assign(new)
        for v, value in zip(optimizer.variables, state, strict=True):
            v.assign(value)
    else:
        optimizer.apply([gradient], [variable])


def steps(optimizer: keras.optimizers.Optimizer, variable: keras.Variable):
    """Return a function of a gradient that makes a step: many of them are worth compiling."""
    if backend.NAME == "tensorflow":
        optimizer.build([variable])
        return backend.compiled(lambda gradient: optimizer.apply([gradient], [variable]))
    return stepper(optimizer, variable)


def stepper(optimizer: keras.optimizers.Optimizer, variable: keras.Variable):
    """Return a function of a gradient that makes a step: compiled on JAX, and eager elsewhere.

    Each of JAX's conditions would be compiled anew at every eager step.
    """
    optimizer.build([variable])
    if backend.NAME != "jax" or isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return lambda gradient: apply(optimizer, gradient, variable)
    program = backend.compiled(optimizer.stateless_apply)

    def step(gradient):
        state = [v.value for v in optimizer.variables]
        (new,), state = program(state, [gradient], [variable.value])
        for v, value in zip([variable, *optimizer.variables], [new, *state], strict=True):
            v.assign(value)

    return step


def data(s: Subject, batches: int = 6):
    x = s.rng().normal(size=(8 * batches, 5)).astype("float32")
    y = np.sin(x @ np.ones((5, 2), "float32"))
    return x, y


def model(
    optimizer: keras.optimizers.Optimizer, jit_compile: Any = backend.JIT, **compile_args: Any
):
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [keras.Input((5,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(2)]
    )
    model.compile(optimizer, "mse", jit_compile=jit_compile, **compile_args)
    return trainable(model)


def trainable(model: keras.Model):
    """Return a compiled or loaded model whose training step computes what its optimizer needs."""
    ready(model.optimizer)
    return training.attach(model)


def fit(model: keras.Model, data: Any, **args: Any) -> list[np.ndarray]:
    trainable(model).fit(*data, batch_size=8, shuffle=False, verbose=0, **args)
    return [backend.as_numpy(v.value) for v in model.trainable_variables]


def all_close(actual: Any, expected: Any, what: str, **tolerance: Any) -> None:
    for i, (a, b) in enumerate(zip(actual, expected, strict=True)):
        close(a, b, f"{what}, weight {i}", **tolerance)


@functools.cache
def two_replicas():
    """One MirroredStrategy for all checks: a second would reuse the numbers of its collectives."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(two_cpus())


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
            raise CheckSkipped(
                "This check needs two logical CPUs, and TensorFlow has started with one. Call "
                "kcatalog.conformance.descent.two_cpus() before using TensorFlow."
            ) from e
    return [device.name for device in tf.config.list_logical_devices("CPU")[:2]]
