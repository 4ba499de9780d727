"""Checks for losses: what is wrong with the input shows; weights and masks are as in Keras."""

from __future__ import annotations

import functools

import numpy as np
from keras import ops

from kcatalog.conformance import backend
from kcatalog.conformance.losses import usual_value, value_of
from kcatalog.conformance.subject import BATCH, CheckError, Subject, close, require
from kcatalog.conformance.suite import check
from kcatalog.ops.masks import with_mask


def _has_card(s: Subject) -> bool:
    return s.has_card  # Keras's own losses make none of these promises


def _isolated(s: Subject) -> bool:
    return "in-batch" not in s.tags


@check("losses")
def nan_is_kept(s: Subject) -> None:
    """A NaN in a sample's predictions is a NaN in its value and gradient, and in the mean."""
    y_true, y_pred = s.targets_and_predictions()
    bad = y_pred.copy()
    which = -1 if s.has_card else slice(None)  # a loss may read the right class's score alone
    bad.reshape(BATCH, -1)[0, which] = np.nan
    each = np.atleast_1d(value_of(s.make(reduction=None), y_true, bad))
    require(
        np.any(np.isnan(each[0])), f"with a NaN in its predictions a sample's loss is {each[0]}"
    )
    if s.has_card and _isolated(s):
        close(each[1:], usual_value(s, reduction=None)[1:], "samples beside one with a NaN")
    loss = s.make()
    value, (gradient,) = backend.value_and_gradients(lambda p: loss(y_true, p), [bad])
    require(np.isnan(value), f"with a NaN in the predictions the loss is {value:.3g}")
    reaches = np.any(np.isnan(gradient[0])) or not s.has_card
    require(reaches, "a NaN in the predictions does not reach the gradient")


@check("losses", when=lambda s: s.card.example.targets in ("real", "boxes"))
def nan_target_is_kept(s: Subject) -> None:
    """A NaN in the targets is a NaN in the loss."""
    y_true, y_pred = s.targets_and_predictions()
    if value_of(s.make(), y_true + 1, y_pred) == usual_value(s):
        return  # the predictions hold all that is compared
    y_true.reshape(BATCH, -1)[0, -1] = np.nan
    value = value_of(s.make(), y_true, y_pred)
    require(np.isnan(value), f"with a NaN in the targets the loss is {value:.3g}")


@functools.lru_cache(maxsize=32)  # the checks of a part run one after the other
def _steps(s: Subject):
    """Return targets, predictions and values of as many steps as samples; None if it takes none.

    Images, `(batch, pixels, classes)`, have steps already.
    """
    y_true, y_pred = s.targets_and_predictions(BATCH * BATCH)
    pair = [x.reshape(BATCH, BATCH, *x.shape[1:]) for x in (y_true, y_pred)]
    try:
        each = value_of(s.make(reduction=None), *pair)
    except Exception:  # a loss of whole samples; what it raises is its own
        return None
    return (*pair, each) if each.shape[:2] == (BATCH, BATCH) else None


@check("losses", when=_has_card)
def weight_is_of_its_sample(s: Subject) -> None:
    """A weight a sample weighs all steps of that sample, however many steps there are."""
    if _steps(s) is None:
        return
    y_true, y_pred, each = _steps(s)
    w = np.linspace(0, 2, BATCH).astype("float32")
    own = each * w.reshape(-1, *[1] * (each.ndim - 1))
    for shape in ((BATCH,), (BATCH, 1)):
        weighted = value_of(s.make(), y_true, y_pred, sample_weight=w.reshape(shape))
        close(weighted, own.mean(), f"with sample_weight of shape {shape}")


@check("losses", when=_has_card)
def padding_counts_for_nothing(s: Subject) -> None:
    """Steps that Keras's mask takes out change nothing, whatever stands there."""
    if _steps(s) is None:
        return
    y_true, y_pred, each = _steps(s)
    mask = np.arange(BATCH)[:, None] >= np.arange(BATCH)[None, :]
    values = []
    for order in (slice(None), slice(None, None, -1)):  # other targets where the mask is False
        other = np.where(
            mask.reshape(BATCH, BATCH, *[1] * (y_true.ndim - 2)), y_true, y_true[order]
        )
        masked = with_mask(ops.convert_to_tensor(y_pred), ops.convert_to_tensor(mask))
        values.append(backend.as_numpy(s.make()(ops.convert_to_tensor(other), masked)))
    close(values[1], values[0], "other targets in the padding")
    if _isolated(s):
        left = each[mask].mean(-1) if each.ndim > 2 else each[mask]
        close(values[0], left.mean(), "mean over the steps that count")


@check("losses", when=lambda s: "ignore_class" in s.signature)
def ignored_class_is_left_out(s: Subject) -> None:
    """Steps or pixels of the ignored class change nothing: the loss is that of the others."""
    y_true, y_pred = s.targets_and_predictions()
    if y_true.ndim == 1:
        if _steps(s) is None:
            return
        y_true, y_pred, _ = _steps(s)
    void = y_true.copy()
    void[:, -1] = 255
    found = value_of(s.make(ignore_class=255), void, y_pred)
    close(found, value_of(s.make(), y_true[:, :-1], y_pred[:, :-1]), "without what is ignored")


@check("losses", when=_has_card)
def disagreement_is_refused(s: Subject) -> None:
    """Targets in another number or shape than the predictions raise a ValueError; text does too."""
    y_true, y_pred = s.targets_and_predictions()
    cases = [
        ("a sample less", y_true[1:], y_pred),
        ("text", np.array(["a"] * BATCH), y_pred),
    ]
    if _steps(s) is not None:
        y_true, y_pred, _ = _steps(s)
        cases += [
            ("a step less", y_true[:, 1:], y_pred),
            ("swapped axes", np.swapaxes(y_true[:, 1:], 0, 1), y_pred[:, 1:]),
        ]
    for what, targets, predictions in cases:
        try:
            value = _value(s.make(), targets, predictions)
        except ValueError:
            continue
        except Exception as e:
            message = f"targets with {what} raise {type(e).__name__}, not a ValueError: {e}"
            raise CheckError(message) from e
        raise CheckError(f"targets with {what} give {value:.3g}")


def _value(loss, y_true, y_pred):
    """Return the loss of targets as they are, which may be no tensor."""
    return backend.as_numpy(loss(y_true, ops.convert_to_tensor(y_pred)))


def _class_labels(s: Subject) -> bool:
    example = s.card.example
    if "integer-labels" not in s.tags or "embeddings" in s.tags or not example.shape:
        return False
    return example.classes in (None, example.shape[-1] + 1)


@check("losses", when=_class_labels)
def no_class_is_refused(s: Subject) -> None:
    """A label that is no class raises a ValueError, or gives NaN where the loss is compiled."""
    y_true, y_pred = s.targets_and_predictions()
    classes = s.card.example.classes or y_pred.shape[-1]
    loss = s.make(ignore_class=None) if "ignore_class" in s.signature else s.make()
    for label in (-1, classes):
        wrong = y_true.copy()
        wrong.reshape(-1)[0] = label
        try:
            value = _value(loss, wrong, y_pred)
        except ValueError:
            continue
        require(np.isnan(value), f"label {label} of {classes} classes gives {value:.3g}")
    if backend.COMPILES:
        compiled = backend.compiled(loss, xla=True)
        value = backend.as_numpy(compiled(*map(ops.convert_to_tensor, (wrong, y_pred))))
        require(np.isnan(value), f"compiled, label {label} of {classes} classes gives {value:.3g}")
