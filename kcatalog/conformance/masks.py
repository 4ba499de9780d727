"""Checks for layers: masks are handed on and honoured."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from kcatalog.conformance.exercise import (
    all_steps,
    is_sequence,
    moved_layer,
    repeats,
    run_layer,
)
from kcatalog.conformance.subject import BATCH, Subject, close, finite, require
from kcatalog.conformance.suite import check


def _keeps_masks(s: Subject) -> bool:
    """A layer without a card may drop masks, of which Keras warns, unless it says otherwise."""
    return is_sequence(s) and (s.has_card or s.make().supports_masking)


@check("layers", when=_keeps_masks)
def mask_passed_on(s: Subject) -> None:
    """A mask that comes in with (batch, steps, features) comes out while steps remain."""
    layer = moved_layer(s, **all_steps(s))
    inputs = keras.Input(s.input_shape)
    output = layer(keras.layers.Masking(0.0)(inputs))
    if len(output.shape) == 3 and output.shape[1] == inputs.shape[1]:
        mask = getattr(output, "_keras_mask", None)
        require(mask is not None, "the mask is dropped: set self.supports_masking = True")


@check("layers", tag="masking", when=is_sequence)
def mask_honoured(s: Subject) -> None:
    """Padding changes no real step's result, and a row of padding only stays finite."""
    layer, x = moved_layer(s, **all_steps(s)), s.inputs()
    steps = x.shape[1]
    padded = np.concatenate([x, np.full_like(x[:, :2], 7.0)], axis=1)
    mask = np.arange(steps + 2) < steps
    y = run_layer(layer, padded, mask=ops.convert_to_tensor(np.tile(mask, (BATCH, 1))))
    close(y[:, :steps], run_layer(layer, x), "real steps beside padding")
    nothing = run_layer(layer, x, mask=ops.zeros((BATCH, steps), dtype="bool"))
    finite(nothing, "the output for a row of padding only")


def _supports_masks(s: Subject) -> bool:
    return not s.has_card and _keeps_masks(s) and repeats(s)


@check("layers", when=_supports_masks)
def padding_ignored(s: Subject) -> None:
    """A layer with `supports_masking` gives the same whatever stands in the padding."""
    layer, x = moved_layer(s), s.inputs()
    real = x.shape[1] - 2
    other = x.copy()
    other[:, real:] = 7.0
    mask = ops.convert_to_tensor(np.tile(np.arange(x.shape[1]) < real, (BATCH, 1)))
    one, two = (run_layer(layer, padded, mask=mask) for padded in (x, other))
    if one.ndim > 2 and one.shape[1] == x.shape[1]:
        one, two = one[:, :real], two[:, :real]
    close(one, two, "two sequences that differ in masked steps only")
