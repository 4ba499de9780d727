"""Checks for losses: shapes, weights, degenerate input, gradients, invariances."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
from keras import ops

from kcatalog.conformance import backend
from kcatalog.conformance.exercise import exact_gradients, loss_gradient
from kcatalog.conformance.metrics import result_of
from kcatalog.conformance.subject import BATCH, Subject, close, finite, require
from kcatalog.conformance.suite import check


def value_of(loss: Any, y_true, y_pred, **kwargs: Any) -> np.ndarray:
    """A loss's value as NumPy."""
    tensors = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
    return backend.as_numpy(backend.call(loss, *tensors, **kwargs))


_VALUE = {"losses": value_of, "metrics": result_of}


@functools.lru_cache(maxsize=32)  # the checks of a part run one after the other
def usual_value(s: Subject, **settings: Any) -> np.ndarray:
    """Return what the example loss or metric gives for the example's data."""
    return _VALUE[s.kind](s.make(**settings), *s.targets_and_predictions())


def _has_labels(s: Subject) -> bool:
    return s.card.example.targets == "labels"


def _shaped(s: Subject) -> bool:
    return bool(s.card.example.shape)


@check("losses")
def reduction_shapes(s: Subject) -> None:
    """Unreduced there is one value a sample; reduced there is one, their mean."""
    each = usual_value(s, reduction=None)
    require(each.shape[:1] == (BATCH,), f"unreduced shape {each.shape}, not ({BATCH}, ...)")
    mean = usual_value(s)
    require(mean.shape == (), f"reduced shape {mean.shape}, not a scalar")
    close(mean, each.mean(), "mean of the unreduced values")


@check("losses", when=lambda s: s.has_card)
def dtype_survives(s: Subject) -> None:
    """A saved loss computes in the dtype it was given."""
    again = s.cls.from_config(s.make(dtype="float16").get_config())
    require(again.dtype == "float16", f"dtype float16 was reloaded as {again.dtype}")


@check("losses")
def sample_weight_scales(s: Subject) -> None:
    """A sample's weight scales its value; weight zero takes it out."""
    y = s.targets_and_predictions()
    each = usual_value(s, reduction=None)
    weights = np.linspace(0.0, 2.0, BATCH).astype("float32")
    of_each = weights.reshape(-1, *[1] * (each.ndim - 1))
    given = weights if s.has_card else of_each  # Keras alone aligns the axes from the last
    weighted = value_of(s.make(reduction=None), *y, sample_weight=given)
    close(weighted, each * of_each, "weighted values")


@check("losses")
def batch_order_irrelevant(s: Subject) -> None:
    """Permuting the batch permutes the values and changes nothing else."""
    y_true, y_pred = s.targets_and_predictions()
    order = s.rng().permutation(BATCH)
    each = usual_value(s, reduction=None)
    require(each.shape[:1] == (BATCH,), f"unreduced shape {each.shape}, not ({BATCH}, ...)")
    close(value_of(s.make(reduction=None), y_true[order], y_pred[order]), each[order], "permuted")


@check("losses", when=lambda s: s.has_card and "in-batch" not in s.tags)
def samples_independent(s: Subject) -> None:
    """A sample's value does not depend on the rest of its batch."""
    y_true, y_pred = s.targets_and_predictions()
    each = usual_value(s, reduction=None)
    close(value_of(s.make(reduction=None), y_true[:1], y_pred[:1]), each[:1], "one of a batch")


@check("losses", when=lambda s: backend.COMPILES, variants=backend.MODES, slow=True)
def compiled_equals_eager(s: Subject, mode: str) -> None:
    """Compiled, with XLA or without, value and gradient are what they are eagerly."""
    y_true, y_pred = s.targets_and_predictions()
    loss = s.make()
    y_true = ops.convert_to_tensor(y_true)
    eager, (slope,) = backend.value_and_gradients(lambda p: loss(y_true, p), [y_pred])
    value, gradient = backend.compiled_value_and_gradient(
        lambda p: loss(y_true, p), y_pred, xla=mode == "xla"
    )
    close(value, eager, mode)
    close(gradient, slope, f"gradient, {mode}")


@check("losses")
def gradient_exact(s: Subject) -> None:
    """The gradient equals finite differences in float64."""
    with backend.float64():
        y_true, y_pred = s.targets_and_predictions(dtype="float64")
        loss = s.make(dtype="float64")
        exact_gradients(lambda p: loss(y_true, p), [y_pred], s.rng(), ["predictions"])


def _degenerate(s: Subject):
    """Names and batches that break careless formulas."""
    y_true, y_pred = s.targets_and_predictions()
    yield "a batch of one", y_true[:1], y_pred[:1]
    yield "all predictions equal", y_true, np.repeat(y_pred[:1], BATCH, axis=0)
    yield "all samples equal", np.repeat(y_true[:1], BATCH, 0), np.repeat(y_pred[:1], BATCH, 0)
    if _has_labels(s):
        yield "one class only", np.zeros_like(y_true), y_pred
        if "embeddings" in s.tags or (s.card.example.classes or y_pred.shape[-1]) >= BATCH:
            each = np.resize(np.arange(BATCH, dtype="int32"), y_true.shape)
            yield "all classes different", each, y_pred
    if s.card.example.predictions == "real" and y_true.shape == y_pred.shape:
        yield "exact predictions", y_true, y_true
    if s.card.example.predictions == "real":
        yield "all predictions zero", y_true, np.zeros_like(y_pred)
        yield "saturated predictions", y_true, 1e4 * np.sign(y_pred)
        yield "tiny predictions", y_true, 1e-20 * y_pred
    elif s.card.example.predictions == "cosines":
        yield "all predictions zero", y_true, np.zeros_like(y_pred)
        yield "parallel and opposite", y_true, np.sign(y_pred)
    elif s.card.example.predictions == "boxes":
        yield "all predictions right", y_true, y_true
        yield "boxes without area", y_true, np.zeros_like(y_pred)
        yield "no area on either side", np.zeros_like(y_true), np.zeros_like(y_pred)
        yield "boxes far apart", y_true, y_pred + 1e4
        yield "boxes inside out", y_true, -y_pred
    else:
        yield "certain predictions", y_true, np.eye(y_pred.shape[-1])[y_pred.argmax(-1)]


@check("losses", when=lambda s: s.has_card)
def no_samples_lose_nothing(s: Subject) -> None:
    """The loss of an empty batch is the number 0, so that it adds nothing to others."""
    y_true, y_pred = s.targets_and_predictions()
    value = value_of(s.make(), y_true[:0], y_pred[:0])
    require(value.shape == () and value == 0, f"the loss of no sample is {value}, not 0")


@check("losses", variants=("float32", "float16", "bfloat16"))
def degenerate_input(s: Subject, dtype: str) -> None:
    """Value and gradient stay finite where careless formulas give NaN."""
    loss = s.make()
    for what, y_true, y_pred in _degenerate(s):
        value, (gradient,) = loss_gradient(loss, y_true, y_pred.astype("float32"), dtype)
        finite(value, f"the loss for {what}")
        if not s.has_card and not np.all(np.isfinite(gradient)):
            gradient = _in_range(loss, y_true, y_pred.astype("float32"), gradient)
        finite(gradient, f"the gradient for {what}")


def _in_range(loss, y_true, y_pred, gradient) -> np.ndarray:
    """Return a half-precision gradient with the numbers in it that only float32 has room for."""
    _, (exact,) = loss_gradient(loss, y_true, y_pred)
    too_large = np.isinf(gradient) & (np.abs(exact) > np.finfo("float16").max)
    return np.where(too_large, exact, gradient)


def _counts_classes(s: Subject) -> bool:
    lists = any(isinstance(value, list | tuple) for value in s.card.example.args.values())
    return "logits" in s.tags and len(s.card.example.shape) == 1 and not lists


@check("losses", when=_counts_classes)
def ten_thousand_classes(s: Subject) -> None:
    """With 10,000 classes value and gradient stay finite, and a right class still counts."""
    loss, rng = s.make(), s.rng()
    y_pred = rng.uniform(-1, 1, (BATCH, 10_000)).astype("float32")
    if s.card.example.predictions == "probabilities":
        y_pred = (y_pred + 1) / (y_pred + 1).sum(-1, keepdims=True)
    labels = np.arange(BATCH, dtype="int32") * 1999
    y_true = labels if _has_labels(s) else np.eye(10_000, dtype="float32")[labels]
    value, (gradient,) = loss_gradient(loss, y_true, y_pred)
    finite(value, "the loss")
    finite(gradient, "the gradient")
    right = np.take_along_axis(gradient, labels[:, None], axis=1)
    require(np.any(right != 0), "no right class has a gradient among 10,000")


@check("losses", when=_shaped, slow=True)
def training_in_a_model(s: Subject) -> None:
    """Compiled into a model, two steps of `fit` give finite losses."""
    y_true, y_pred = s.targets_and_predictions()
    model = keras.Sequential([keras.Input(y_pred.shape[1:]), keras.layers.Dense(y_pred.shape[-1])])
    if s.card.example.predictions == "probabilities":
        model.add(keras.layers.Softmax())
    model.compile("sgd", s.make(), jit_compile=backend.JIT)
    history = model.fit(y_pred, y_true, epochs=2, batch_size=BATCH, verbose=0)
    finite(history.history["loss"], "the loss in training")


# --- what the tags claim ----------------------------------------------------------------


@check("losses", "metrics", tag="integer-labels", variants=("column", "int64", "uint8", "float32"))
def label_forms_equal(s: Subject, form: str) -> None:
    """Labels as a column and in other dtypes mean the same."""
    y_true, y_pred = s.targets_and_predictions()
    other = y_true[..., None] if form == "column" else y_true.astype(form)
    close(_VALUE[s.kind](s.make(), other, y_pred), usual_value(s), f"labels as {form}")


@check("losses", "metrics", tag="one-hot-labels")
def one_hot_equals_indices(s: Subject) -> None:
    """One-hot rows as targets give what class indices give."""
    labels, y_pred = s.targets_and_predictions()
    require(_has_labels(s), 'the card\'s example must have targets="labels"')
    one_hot = np.eye(s.card.example.classes or y_pred.shape[-1], dtype="float32")[labels]
    close(_VALUE[s.kind](s.make(), one_hot, y_pred), usual_value(s), "one-hot targets")


@check("losses", tag="logits")
def right_score_lowers_loss(s: Subject) -> None:
    """Raising the score of the right class never raises the loss."""
    y_true, y_pred = s.targets_and_predictions()
    labels = y_true if _has_labels(s) else y_true.argmax(-1)
    right = np.eye(s.card.example.classes or y_pred.shape[-1], dtype="float32")[labels]
    right = right.reshape(*right.shape, *[1] * (y_pred.ndim - right.ndim))  # (..., classes, 1)
    step = 1.0
    if s.card.example.predictions == "cosines":  # which it must not leave
        y_pred, step = y_pred / 2, 0.5
    each, better = (
        value_of(s.make(reduction=None), y_true, y_pred + d * right) for d in (0.0, step)
    )
    require(np.all(better <= each + 1e-6), "a better score gives a higher loss")
    require(np.any(better < each), "a better score changes nothing")


@check("losses", tag="embeddings")
def rotation_irrelevant(s: Subject) -> None:
    """Rotating all embeddings leaves the loss as it is."""
    y_true, y_pred = s.targets_and_predictions()
    rotation, _ = np.linalg.qr(s.rng().normal(size=(y_pred.shape[-1],) * 2))
    turned = (y_pred @ rotation).astype("float32")
    close(value_of(s.make(), y_true, turned), usual_value(s), "rotated", 1e-3)
