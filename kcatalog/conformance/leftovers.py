"""Checks that using a part leaves nothing behind but what it is there to learn or to count."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import keras
import numpy as np
from keras import ops

from kcatalog.conformance import backend
from kcatalog.conformance.exercise import as_layer, build, exercise, mode_of
from kcatalog.conformance.metrics import result_of
from kcatalog.conformance.subject import Subject, require
from kcatalog.conformance.suite import check


@check("layers")
def inference_keeps_state(s: Subject) -> None:
    """At inference no weight changes, neither trainable nor counted."""
    layer = as_layer(s, s.make())
    build(s, layer)
    before = [backend.as_numpy(w) for w in layer.weights]
    for scale in (1.0, 3.0):  # one batch may leave a count as it was
        x = ops.convert_to_tensor((scale * s.inputs()).astype("float32"))
        backend.call_layer(layer, x, **mode_of(layer))
    changed = [
        w.path
        for w, old in zip(layer.weights, before, strict=True)
        if not np.array_equal(backend.as_numpy(w), old, equal_nan=True)
    ]
    require(not changed, f"a call without training assigns {changed}; assign in training only")


@check("metrics")
def result_keeps_state(s: Subject) -> None:
    """Asking for the result twice gives the same."""
    metric = s.make()
    metric.update_state(*s.targets_and_predictions())
    first, second = (
        [backend.as_numpy(r) for r in keras.tree.flatten(metric.result())] for _ in range(2)
    )
    same = all(np.array_equal(a, b, equal_nan=True) for a, b in zip(first, second, strict=True))
    require(same, "result() changes the state: a second call gives something else")


@check("metrics")
def batches_accumulate(s: Subject) -> None:
    """Two batches do not give the result of the second alone."""
    y_true, y_pred = s.targets_and_predictions()
    half = len(y_true) // 2
    one, two = (y_true[:half], y_pred[:half]), (y_true[half:], y_pred[half:])
    first, second, both = (result_of(s.make(), *batches) for batches in (one, two, one + two))
    forgets = np.array_equal(both, second) and not np.allclose(first, second, equal_nan=True)
    require(not forgets, "an update forgets the batches before it; add to the state")


@check(when=lambda s: s.kind not in ("callbacks", "samplers"))  # which keep models and data
def no_tensor_kept(s: Subject) -> None:
    """A call leaves no tensor on the object or its class: traced, it would outlive its graph."""
    part = s.make()
    if s.kind == "layers":
        layer = as_layer(s, part)
        build(s, layer)
    before = dict(_tensors(part))
    if s.kind == "layers":  # a symbolic call runs the Python code and computes nothing
        layer(keras.Input(s.input_shape, dtype=layer.dtype_policy.variable_dtype))
    else:
        exercise(s, part)
    kept = [name for name, tensor in _tensors(part) if before.get(name) is not tensor]
    require(not kept, f"a call leaves tensors in {kept}: return them, or keep NumPy arrays")


_PARTS = (
    keras.layers.Layer,
    keras.losses.Loss,
    keras.metrics.Metric,
    keras.optimizers.Optimizer,
    keras.optimizers.schedules.LearningRateSchedule,
    keras.regularizers.Regularizer,
    keras.constraints.Constraint,
    keras.initializers.Initializer,
)
_LIBRARIES = ("builtins", "keras", "tensorflow", "jax", "torch")


@functools.cache
def _kept_by_keras() -> set[str]:
    """Return the attributes in which Keras keeps what it pleases, such as losses of a call."""
    return {*vars(keras.layers.Layer()), *vars(keras.metrics.Mean())}


def _tensors(part) -> Iterator[tuple[str, object]]:
    """Yield the tensors that a part, its class and the parts in it hold, each with its place."""
    seen = set()

    def walk(value, name):
        if isinstance(value, keras.Variable) or id(value) in seen:
            return
        seen.add(id(value))
        if isinstance(value, keras.KerasTensor) or ops.is_tensor(value):
            yield name, value
        elif isinstance(value, list | tuple | set):
            for i, one in enumerate(value):
                yield from walk(one, f"{name}[{i}]")
        elif isinstance(value, dict):
            for key, one in list(value.items()):
                yield from walk(one, f"{name}[{key!r}]")
        elif isinstance(value, _PARTS):
            for key, one in list(vars(value).items()):
                if key not in _kept_by_keras():
                    yield from walk(one, f"{name}.{key}")

    for cls in type(part).__mro__:
        if cls.__module__.split(".")[0] not in _LIBRARIES:
            for key, one in list(vars(cls).items()):
                yield from walk(one, f"{cls.__name__}.{key}")
    yield from walk(part, "self")
