"""Loops over steps that a layer takes itself, by the loop of `keras.layers.RNN`."""

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import keras
from keras import ops

from kcatalog import checks
from kcatalog.types import Tensor


def run(
    step: Tensor,
    sequences: Tensor,
    states: list[Tensor],
    output: Tensor,
    mask: Tensor | None = None,
    return_sequences: bool = True,
) -> tuple[Tensor, Tensor]:
    """Return the outputs and the last states of steps over a sequence.

    Args:
        step: a function `(inputs, states) -> (output, states)`, the states a flat list.
        sequences: `(batch, steps, ...)`.
        states: the states before the first step.
        output: an output before the first step, for masked steps to repeat.
        mask: `(batch, steps)`, or None. A masked step repeats the last output and keeps the states.
        return_sequences: whether to return all outputs, or the last.
    """

    def carrying(x, carried):  # JAX's loop takes the first state for the last output
        y, after = step(x, list(carried[1:]))
        y = ops.cast(y, output.dtype)
        return y, [y, *after]

    loop = SimpleNamespace(
        cell=carrying,
        stateful=False,
        go_backwards=False,
        unroll=False,
        zero_output_for_mask=False,
        return_sequences=return_sequences,
    )
    if mask is not None and len(mask.shape) == 2:
        mask = ops.cast(mask, "bool")
    last, outputs, after = keras.layers.RNN.inner_loop(loop, sequences, [output, *states], mask)
    return outputs if return_sequences else last, list(after)[1:]


def checked_cell(owner: object, cell: keras.layers.Layer) -> keras.layers.Layer:
    """Check for a recurrent cell: a layer of one step, with the widths of its states."""
    rule = "a recurrent cell, a layer with `state_size`"
    if not isinstance(cell, keras.layers.Layer) or isinstance(cell, keras.layers.RNN):
        fix = "Give its cell: layer.cell." if isinstance(cell, keras.layers.RNN) else ""
        raise checks.error(owner, "cell", rule, cell, fix)
    if not hasattr(cell, "state_size"):
        raise checks.error(owner, "cell", rule, cell)
    return cell


def output_size(cell: keras.layers.Layer) -> int:
    """Return the width of a cell's output."""
    return getattr(cell, "output_size", None) or keras.tree.flatten(cell.state_size)[0]


def packed(cell: keras.layers.Layer, states: list[Tensor]) -> Any:
    """Return a flat list of states as a cell takes them."""
    size = cell.state_size
    structure = list(size) if isinstance(size, list | tuple) else [size]
    return keras.tree.pack_sequence_as(structure, list(states))


def first_states(cell: keras.layers.Layer, batch_size: int) -> list[Tensor]:
    """Return a cell's states before the first step, as a flat list."""
    if hasattr(cell, "get_initial_state"):
        return keras.tree.flatten(cell.get_initial_state(batch_size=batch_size))
    sizes = keras.tree.flatten(cell.state_size)
    return [ops.zeros((batch_size, n), cell.compute_dtype) for n in sizes]


@contextlib.contextmanager
def dropout_masks(
    cell: keras.layers.Layer, inputs: Tensor, states: list[Tensor], training: bool | None
) -> Iterator[None]:
    """Let Keras's cells draw their dropout masks before a loop, and forget them after it.

    They draw them in their first step and keep them for the others. Within a compiled loop that
    would be a tensor of the loop, so they take a step before it.
    """
    cells = [c for c in getattr(cell, "cells", [cell]) if hasattr(c, "reset_dropout_mask")]
    if not training or not any(c.dropout or c.recurrent_dropout for c in cells):
        yield
        return
    cell(inputs, packed(cell, states), training=True)
    try:
        yield
    finally:
        for c in cells:
            c.reset_dropout_mask()
            c.reset_recurrent_dropout_mask()
