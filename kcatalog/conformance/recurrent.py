"""Checks for recurrent layers and cells: masks, states, directions, stacks, dropout."""

from __future__ import annotations

import tempfile
from typing import Any

import keras
import numpy as np
from keras import ops

from kcatalog.conformance import backend
from kcatalog.conformance.subject import CheckSkipped, Subject, close, finite, require
from kcatalog.conformance.suite import check

UNITS = 3  # of the cell above, in a stack


def _is_cell(s: Subject) -> bool:
    return "cell" in s.tags


def _runs(s: Subject) -> bool:
    return not s.adapted and (_is_cell(s) or issubclass(s.cls, keras.layers.RNN))


def _is_layer(s: Subject) -> bool:
    return _runs(s) and not _is_cell(s)


def _layers(s: Subject, *options: dict[Any, Any], batch=None, **arguments) -> list[Any]:
    """Layers of these options with the same random weights: the part, or `RNN` around the cell."""
    made = []
    for each in options:
        each = {"return_sequences": True, **each}
        if _is_cell(s):
            layer = keras.layers.RNN(s.make(**arguments), **each)
            backend.made_from(layer, s, *sorted({**each, **arguments}.items()))
        else:
            layer = s.make(**each, **arguments)
        layer.build((batch, *s.input_shape))
        if not made:
            rng = s.rng()
            for v in layer.trainable_variables:
                v.assign(backend.as_numpy(v) + 0.1 * rng.normal(size=v.shape))
        else:
            _copy(made[0], layer)
        made.append(layer)
    return made


def _copy(one, other):
    """Give a layer the weights of another; states come last, and are its own."""
    for kind in ("trainable_variables", "non_trainable_variables"):
        for v, w in zip(getattr(other, kind), getattr(one, kind), strict=False):
            v.assign(w)


def _run(layer, x, **kwargs) -> list[np.ndarray]:
    """Return the output and the states, if there are any."""
    kwargs = keras.tree.map_structure(
        lambda v: v if isinstance(v, bool) else ops.convert_to_tensor(v), kwargs
    )
    outputs = backend.call_layer(layer, ops.convert_to_tensor(x), **kwargs)
    return [backend.as_numpy(y) for y in keras.tree.flatten(outputs)]


def _can_mask(s: Subject):
    """Skip a check with masks where Keras cannot mask a cell: its output is not its first state."""
    if backend.NAME == "jax" and _is_cell(s):
        (layer,) = _layers(s, {"return_state": True})
        y, first, *_ = _run(layer, s.inputs())
        if y[:, -1].shape != first.shape or not np.allclose(y[:, -1], first):
            raise CheckSkipped("on JAX, Keras repeats a cell's first state in place of its output")


@check("layers", tag="recurrent", when=_runs)
def states_handed_on(s: Subject) -> None:
    """The states after one half are the initial states of the other, as if it were a whole."""
    (layer,), x = _layers(s, {"return_state": True}), s.inputs()
    half = x.shape[1] // 2
    whole, *states = _run(layer, x)
    first, *between = _run(layer, x[:, :half])
    second, *after = _run(layer, x[:, half:], initial_state=between)
    close(np.concatenate([first, second], 1), whole, "two halves, the states handed on")
    for one, other in zip(after, states, strict=True):
        close(one, other, "the states after two halves")


@check("layers", tag="recurrent", when=_runs)
def padding_skipped(s: Subject) -> None:
    """Masked steps, on any side, are as if they were not there; a row of padding does nothing."""
    _can_mask(s)
    (layer,), x = _layers(s, {"return_state": True}), s.inputs(batch=4)
    steps = x.shape[1]
    real = np.array([[0, 1], [steps - 2, steps - 1], [0, steps - 1], [0, 1]])
    mask = np.zeros((4, steps), bool)
    np.put_along_axis(mask[:3], real[:3], True, axis=1)
    y, *states = _run(layer, np.where(mask[..., None], x, 7.0), mask=mask)
    alone, *wanted = _run(layer, np.take_along_axis(x, real[..., None], axis=1))
    for i, (one, other) in enumerate(
        zip([y[:, -1], *states], [alone[:, -1], *wanted], strict=True)
    ):
        close(one[:3], other[:3], f"padding before, between or behind: output {i}")
    finite(y, "the output for a row of padding")
    for state, initial in zip(states, keras.tree.flatten(layer.get_initial_state(1)), strict=True):
        padded = state[3:]
        close(padded, backend.as_numpy(initial), "the state after a row of padding only")


@check("layers", tag="recurrent", when=_runs)
def lengths_mixed(s: Subject) -> None:
    """Sequences of 7 and 29 steps in one batch: the shorter one gives what it gives alone."""
    _can_mask(s)
    (layer,) = _layers(s, {"return_sequences": False})
    x = s.rng().normal(size=(2, 29, *s.input_shape[1:])).astype("float32")
    mask = np.arange(29) < np.array([[7], [29]])
    (together,), (alone,) = _run(layer, x, mask=mask), _run(layer, x[:, :7])
    close(together[:1], alone[:1], "7 steps beside 29")


@check("layers", tag="recurrent", when=_runs)
def stateful_continues(s: Subject) -> None:
    """With `stateful`, two halves one after the other are one whole; `reset_state` starts anew."""
    plain, stateful = _layers(s, {}, {"stateful": True}, batch=6)
    x = s.inputs()
    half = x.shape[1] // 2
    whole = backend.as_numpy(plain(x))
    for again in ("at first", "after reset_state"):
        halves = [backend.as_numpy(stateful(part)) for part in (x[:, :half], x[:, half:])]
        close(np.concatenate(halves, 1), whole, f"two halves, stateful, {again}")
        stateful.reset_state()


@check("layers", tag="recurrent", when=_runs)
def directions_mirrored(s: Subject) -> None:
    """`go_backwards` reads from the end, and in `Bidirectional` each half does its direction."""
    forwards, backwards = _layers(s, {}, {"go_backwards": True})
    x = s.inputs()
    (there,), (back,) = _run(forwards, x), _run(backwards, x)
    close(back, _run(forwards, x[:, ::-1].copy())[0], "go_backwards beside reversed input")
    both = keras.layers.Bidirectional(forwards)  # it makes layers like this one
    both.build(x.shape)
    for half in (both.forward_layer, both.backward_layer):
        _copy(forwards, half)
    y = backend.as_numpy(both(x))
    close(y, np.concatenate([there, back[:, ::-1]], -1), "in Bidirectional")


@check("layers", tag="cell", when=_is_cell)
def stacks_of_cells(s: Subject) -> None:
    """A stack of cells in one `RNN` is a stack of layers."""
    (below,) = _layers(s, {})
    above = keras.layers.GRUCell(UNITS)
    layer = keras.layers.RNN(above, return_sequences=True)
    x = s.inputs()
    wanted = backend.as_numpy(layer(backend.as_numpy(below(x))))
    stack = keras.layers.RNN([below.cell, above], return_sequences=True)
    close(backend.as_numpy(stack(x)), wanted, "two cells in one RNN")


def _drops(s: Subject) -> bool:
    return _runs(s) and "recurrent_dropout" in s.signature


@check("layers", tag="recurrent", when=_drops)
def dropout_of_states(s: Subject) -> None:
    """Recurrent dropout acts in training only, and equal seeds drop the same."""
    plain, one, same = (
        _layers(s, {}, **arguments)[0]
        for arguments in ({}, *2 * [{"recurrent_dropout": 0.5, "seed": 1}])
    )
    for layer in (one, same):
        _copy(plain, layer)
    x = s.inputs()
    (y,) = _run(one, x, training=True)
    close(_run(one, x)[0], _run(plain, x)[0], "recurrent dropout at inference")
    require(not np.allclose(y, _run(plain, x)[0]), "recurrent dropout changes nothing in training")
    close(_run(same, x, training=True)[0], y, "recurrent dropout of an equal seed")


@check("layers", tag="recurrent", when=_runs)
def unrolled_equal(s: Subject) -> None:
    """Unrolled or not, the outputs are the same, with padding too."""
    _can_mask(s)
    rolled, unrolled = _layers(s, {}, {"unroll": True})
    x = s.inputs(batch=2)
    mask = np.arange(x.shape[1]) < np.array([[2], [x.shape[1]]])
    close(_run(unrolled, x, mask=mask)[0], _run(rolled, x, mask=mask)[0], "unrolled")


def _serves(s: Subject) -> bool:
    return _runs(s) and backend.NAME == "tensorflow"


@check("layers", tag="recurrent", when=_serves, slow=True)
def served_at_any_length(s: Subject) -> None:
    """A SavedModel of it takes, without Keras, any batch size and any number of steps."""
    import tensorflow as tf

    (layer,) = _layers(s, {})
    inputs = keras.Input((None, *s.input_shape[1:]))
    with tempfile.TemporaryDirectory() as folder:
        keras.Model(inputs, layer(inputs)).export(folder, verbose=False)
        served = tf.saved_model.load(folder)
        for batch, steps in ((1, 3), (4, 9)):
            x = s.rng().normal(size=(batch, steps, *s.input_shape[1:])).astype("float32")
            what = f"served on {batch} sequences of {steps} steps"
            close(served.serve(x).numpy(), backend.as_numpy(layer(x)), what)
