"""Checks for metrics: what is wrong with the input shows; weights and masks are as in Keras."""

from __future__ import annotations

import functools
import warnings

import keras
import numpy as np
from keras import ops

from kcatalog import registry
from kcatalog.conformance import backend
from kcatalog.conformance.losses import usual_value
from kcatalog.conformance.metrics import logged, no_loss, result_of
from kcatalog.conformance.subject import BATCH, CheckError, Subject, close, finite, require
from kcatalog.conformance.suite import check
from kcatalog.ops.masks import with_mask


def _has_card(s: Subject) -> bool:
    return s.has_card  # Keras's own metrics make none of these promises


def _scores(s: Subject):
    """Return targets and predictions, of tokens as scores, which may hold a NaN."""
    y_true, y_pred = s.targets_and_predictions()
    if s.card.example.predictions == "tokens":
        y_pred = np.eye(s.card.example.classes)[y_pred.astype(int)]
    return y_true, y_pred.astype("float32")


def _better(metric, result, other) -> bool:
    """Return whether a result is better than another, or cannot be compared with it."""
    higher = registry.higher_is_better(metric)
    if higher is None or np.ndim(result):
        return not np.array_equal(result, other)
    return bool(result > other + 1e-6 if higher else result < other - 1e-6)


@check("metrics", when=_has_card)
def nan_shows(s: Subject) -> None:
    """A NaN in the predictions makes the result NaN, or at least no better, until a reset."""
    y_true, y_pred = _scores(s)
    bad = y_pred.copy()
    bad.reshape(BATCH, -1)[0] = np.nan
    metric = s.make()
    for batches in ((y_true, bad), (y_true, y_pred, y_true, bad, y_true, y_pred)):
        metric.reset_state()
        found, usual = result_of(metric, *batches), usual_value(s)
        nan = np.any(np.isnan(found))
        require(nan or not _better(metric, found, usual), f"NaN in the predictions give {found}")
    metric.reset_state()
    finite(result_of(metric, y_true, y_pred), "after a reset the result")


@check("metrics", when=lambda s: s.has_card and s.card.example.targets == "real")
def nan_target_shows(s: Subject) -> None:
    """A NaN in the targets makes the result NaN."""
    y_true, y_pred = s.targets_and_predictions()
    y_true.reshape(BATCH, -1)[0, 0] = np.nan
    found = result_of(s.make(), y_true, y_pred)
    require(np.any(np.isnan(found)), f"with a NaN in the targets the result is {found}")


@functools.lru_cache(maxsize=32)  # the checks of a part run one after the other
def _steps(s: Subject):
    """Return targets and predictions of as many steps as samples; None if it takes none."""
    y_true, y_pred = s.targets_and_predictions(BATCH * BATCH)
    pair = [x.reshape(BATCH, BATCH, *x.shape[1:]) for x in (y_true, y_pred)]
    try:
        same = np.allclose(result_of(s.make(), *pair), result_of(s.make(), y_true, y_pred))
    except Exception:  # a metric of whole samples; what it raises is its own
        return None
    return pair if same else None


@check("metrics", when=_has_card)
def weight_is_of_a_sample(s: Subject) -> None:
    """A weight a sample weighs all steps of that sample, however many steps there are."""
    if _steps(s) is None:
        return
    y_true, y_pred = _steps(s)
    w = np.linspace(0, 2, BATCH).astype("float32")
    each = np.repeat(w[:, None], BATCH, axis=1)
    expected = _weighted(s, y_true, y_pred, each)
    for shape in ((BATCH,), (BATCH, 1)):
        found = result_of(s.make(), y_true, y_pred, sample_weight=w.reshape(shape))
        close(found, expected, f"with sample_weight of shape {shape}")


def _weighted(s: Subject, y_true, y_pred, w):
    """Return the result with a weight for each step, or for each value, as the metric counts."""
    spread = w.reshape(*w.shape, *[1] * (y_true.ndim - 2)) * np.ones(y_true.shape, "float32")
    try:
        return result_of(s.make(), y_true, y_pred, sample_weight=spread)
    except ValueError:  # a step of several values, such as a vector, counts once
        return result_of(s.make(), y_true, y_pred, sample_weight=w)


@check("metrics", when=_has_card)
def padding_shows_nowhere(s: Subject) -> None:
    """Steps that Keras's mask takes out change nothing, whatever stands there."""
    tokens = s.card.example.predictions == "tokens"
    y_true, y_pred = s.targets_and_predictions() if tokens else _steps(s) or (None, None)
    if y_true is None:
        return
    mask = np.arange(BATCH)[:, None] >= np.arange(y_true.shape[1])[None, :]
    found = []
    for order in (slice(None), slice(None, None, -1)):  # others where the mask is False
        pair = []
        for x in (y_true, y_pred):
            there = mask.reshape(*mask.shape, *[1] * (x.ndim - 2))
            pair.append(np.where(there, x, x[order]))
        metric = s.make()
        masked = with_mask(ops.convert_to_tensor(pair[1]), ops.convert_to_tensor(mask))
        metric.update_state(pair[0], masked)
        found.append(backend.as_numpy(metric.result()))
    close(found[1], found[0], "others in the padding")
    if not tokens:
        expected = _weighted(s, y_true, y_pred, mask.astype("float32"))
        close(found[0], expected, "with a mask")


@check("metrics", when=_has_card)
def whole_numbers_as_floats(s: Subject) -> None:
    """Predictions that are whole numbers mean the same in an integer dtype."""
    y_true, y_pred = s.targets_and_predictions()
    whole = np.round(2 * y_pred)
    if s.card.example.predictions == "probabilities":
        whole = np.eye(y_pred.shape[-1])[y_pred.argmax(-1)]
    expected = result_of(s.make(), y_true, whole.astype("float32"))
    close(result_of(s.make(), y_true, whole.astype("int32")), expected, "as int32")


@check("metrics", when=_has_card)
def batches_must_agree(s: Subject) -> None:
    """Targets or weights for another number of samples, and text, raise the house's error."""
    y_true, y_pred = s.targets_and_predictions()
    one = np.ones(BATCH - 1, "float32")
    for what, targets, w in (
        ("a sample less in y_true", y_true[1:], None),
        ("one sample in y_true", y_true[:1], None),
        ("text in y_true", np.array(["a"] * BATCH), None),
        ("a sample less in sample_weight", y_true, one),
    ):
        try:
            result = result_of(s.make(), targets, y_pred, sample_weight=w)
        except ValueError as e:
            require(str(e).startswith(f"{s.name}: `"), f"{what} raises {e}")
            continue
        raise CheckError(f"{what} gives {result}")


@check("metrics", when=_has_card)
def empty_batch_changes_nothing(s: Subject) -> None:
    """A batch without samples leaves the state as it was."""
    y_true, y_pred = s.targets_and_predictions()
    metric, none = s.make(), (y_true[:0], y_pred[:0])
    finite(result_of(metric, *none), "the result of no sample")
    close(result_of(metric, y_true, y_pred, *none), usual_value(s), "with an empty batch")


def _labels_embeddings(s: Subject) -> bool:
    return {"integer-labels", "embeddings"} <= set(s.tags)


@check("metrics", when=_labels_embeddings, variants=("int64", "uint64", "float64"))
def long_labels_differ(s: Subject, dtype: str) -> None:
    """Labels that differ beyond the 32nd bit only are different labels."""
    y_true, y_pred = s.targets_and_predictions()
    long = (y_true.astype("int64") * 2**32 + 5).astype(dtype)
    close(result_of(s.make(), long, y_pred), usual_value(s), f"labels of 64 bits as {dtype}")


def _class_labels(s: Subject) -> bool:
    return "integer-labels" in s.tags and "embeddings" not in s.tags


@check("metrics", when=_class_labels)
def no_class_gains_nothing(s: Subject) -> None:
    """A label that is no class is refused, gives NaN, or leaves the sample out."""
    y_true, y_pred = s.targets_and_predictions()
    for label in (-1, s.card.example.classes or y_pred.shape[-1]):
        wrong = y_true.copy()
        wrong.reshape(-1)[0] = label
        metric = s.make()
        try:
            found = result_of(metric, wrong, y_pred)
        except ValueError:
            continue
        without = result_of(s.make(), y_true[1:], y_pred[1:])
        gains = not np.any(np.isnan(found)) and _better(metric, found, without)
        require(not gains, f"with a label {label} the result is {found}, without it {without}")


@check("metrics", when=lambda s: s.has_card and "capacity" in s.signature)
def overflow_is_reported(s: Subject) -> None:
    """Samples beyond the capacity are left out with a warning that tells how many there are."""
    metric = s.make(capacity=BATCH - 2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result_of(metric, *s.targets_and_predictions())
    told = any(str(BATCH) in str(w.message) and s.name in str(w.message) for w in caught)
    require(told, f"{BATCH} samples for a capacity of {BATCH - 2} are cut without a word")


@check("metrics", when=_has_card)
def logged_as_numbers(s: Subject) -> None:
    """Keras can make a number of the result, as callbacks and histories need it."""
    found = logged(s.make(), *s.targets_and_predictions())
    require(isinstance(found, float), f"a callback cannot log the result, {found!r}")


class _Untraceable(keras.metrics.Mean):
    """A metric for which PyTorch, unlike others, cannot infer shapes without values."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(ops.segment_sum(ops.ones((2,)), ops.zeros((2,), "int32"), 1))


@check("metrics", when=lambda s: _has_card(s) and backend.NAME == "torch")
def evaluation_beside_others(s: Subject) -> None:
    """In `evaluate` on PyTorch it works beside a metric that Keras has to trace with values."""
    y_true, y_pred = s.targets_and_predictions()
    model = keras.Sequential([keras.Input(y_pred.shape[1:]), keras.layers.Identity()])
    metric = s.make()
    model.compile(loss=no_loss, metrics=[metric, _Untraceable()], jit_compile=False)
    logs = model.evaluate(y_pred, y_true, batch_size=BATCH, verbose=0, return_dict=True)
    close(logs[metric.name], logged(s.make(), y_true, y_pred), "beside another")
