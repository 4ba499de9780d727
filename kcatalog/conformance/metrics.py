"""Checks for metrics: state, streaming, sample weights, use in a compiled model."""

from __future__ import annotations

import inspect
from typing import Any

import keras
import numpy as np
from keras import ops

from kcatalog import registry
from kcatalog.card import By
from kcatalog.conformance import backend
from kcatalog.conformance.subject import BATCH, Subject, close, finite, require
from kcatalog.conformance.suite import check


def result_of(metric: Any, *batches: Any, **kwargs: Any) -> np.ndarray:
    """The result after updating with `(y_true, y_pred)`, several times if given more."""
    for y_true, y_pred in zip(batches[::2], batches[1::2], strict=True):
        metric.update_state(y_true, ops.convert_to_tensor(y_pred), **kwargs)
    return backend.as_numpy(metric.result())


def logged(metric: str, y_true, y_pred):
    """Return the result for a batch as Keras logs it: as a number where it can be one."""
    metric.update_state(y_true, ops.convert_to_tensor(y_pred))
    result = metric.result()
    result = ops.convert_to_numpy(result) if ops.is_tensor(result) else result
    try:
        return float(result)
    except (TypeError, ValueError):
        return result


@check("metrics")
def reset_forgets(s: Subject) -> None:
    """After a reset the same data give the same result; with no data it is finite."""
    metric, y = s.make(), s.targets_and_predictions()
    finite(result_of(metric), "the result of no data")
    first = result_of(metric, *y)
    metric.reset_state()
    close(result_of(metric, *y), first, "after a reset")


@check("metrics", when=lambda s: s.has_card)
def direction_true(s: Subject) -> None:
    """Right predictions score better than wrong ones, in the direction that the card states."""
    better = s.card.better
    cases = [{better.argument: v} for v in better.directions] if isinstance(better, By) else [{}]
    for case in cases:
        higher = registry.higher_is_better(s.make(**case))
        stated = 'the card must say which results are better: "higher" or "lower" ones'
        require(higher is not None, stated)
        right, wrong = (result_of(s.make(**case), *y) for y in s.right_and_wrong())
        found = f"right predictions give {right:.3g}, wrong ones {wrong:.3g}"
        require(right > wrong if higher else right < wrong, f"{found}, but {better} is better")


@check("metrics", tag="streaming")
def parts_equal_whole(s: Subject) -> None:
    """Updating by parts gives the result of updating at once."""
    y_true, y_pred = s.targets_and_predictions(2 * BATCH)
    parts = y_true[:BATCH], y_pred[:BATCH], y_true[BATCH:], y_pred[BATCH:]
    close(result_of(s.make(), *parts), result_of(s.make(), y_true, y_pred), "by parts")


def _takes_weights(s: Subject) -> bool:
    return s.has_card or "sample_weight" in inspect.signature(s.cls.update_state).parameters


@check("metrics", when=_takes_weights)
def sample_weight_counts(s: Subject) -> None:
    """Equal weights change nothing; a weight of zero takes a sample's own score out."""
    y = s.targets_and_predictions()
    plain = result_of(s.make(), *y)
    twice = result_of(s.make(), *y, sample_weight=np.full(BATCH, 2.0, "float32"))
    sums = not s.has_card and np.allclose(twice, 2 * plain)  # a metric that counts
    close(twice, 2 * plain if sums else plain, "equal weights")
    nothing = result_of(s.make(), *y, sample_weight=np.zeros(BATCH, "float32"))
    finite(nothing, "the result with all weights zero")


@check("metrics", variants=("float16", "bfloat16"))
def half_precision(s: Subject, dtype: str) -> None:
    """Half-precision predictions give a finite result close to float32's."""
    y_true, y_pred = s.targets_and_predictions()
    half = backend.as_numpy(ops.cast(y_pred, dtype))
    exact = result_of(s.make(), y_true, half)
    close(result_of(s.make(), y_true, ops.cast(y_pred, dtype)), exact, dtype, 1e-2, 1e-2)


def no_loss(y_true, y_pred):
    """Keras on TensorFlow evaluates no model without a loss."""
    return 0.0 * ops.mean(y_pred)


@check("metrics", when=lambda s: backend.COMPILES, variants=backend.MODES, slow=True)
def evaluation_in_a_model(s: Subject, mode: str) -> None:
    """In a compiled model's `evaluate` the metric gives what it gives on its own."""
    y_true, y_pred = s.targets_and_predictions()
    model = keras.Sequential([keras.Input(y_pred.shape[1:]), keras.layers.Identity()])
    metric = s.make()
    model.compile(loss=no_loss, metrics=[metric], jit_compile=mode == "xla")
    logs = model.evaluate(y_pred, y_true, batch_size=BATCH, verbose=0, return_dict=True)
    name = metric.name  # Keras counts those without a name of their own: auc, auc_1
    require(name in logs, f"evaluate reports {sorted(logs)}, not {name}")
    close(logs[name], logged(s.make(), y_true, y_pred), "in a model")
