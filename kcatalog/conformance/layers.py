"""Checks for layers: what an output depends on, in training and at inference."""

from __future__ import annotations

import numpy as np
from keras import ops

from kcatalog.conformance import backend
from kcatalog.conformance.exercise import (
    all_steps,
    moved_layer,
    repeats,
    run_layer,
)
from kcatalog.conformance.subject import BATCH, Subject, close, require
from kcatalog.conformance.suite import check


@check("layers", when=repeats)
def samples_independent(s: Subject) -> None:
    """At inference a sample's result does not depend on the rest of its batch."""
    layer, x = moved_layer(s), s.inputs()
    close(run_layer(layer, x[:1]), run_layer(layer, x)[:1], "one of a batch")


@check("layers", tag="identity-at-inference")
def identity_at_inference(s: Subject) -> None:
    """Not training, the layer returns what it was given, to the last bit."""
    x = s.inputs()
    require(np.array_equal(run_layer(moved_layer(s), x), x), "inference changes its input")


@check("layers", when=lambda s: s.has_card)
def whole_numbers_taken(s: Subject) -> None:
    """Integers, such as the pixels of a picture, give what they give as floats, in training too."""
    x, seed = np.round(4 * s.inputs()), {"seed": 1} if "random" in s.tags else {}
    of_integers, of_floats = moved_layer(s, **seed), moved_layer(s, **seed)
    of_integers.set_weights(of_floats.get_weights())
    integers = run_layer(of_integers, x.astype("int32"), training=True)
    close(integers, run_layer(of_floats, x, training=True), "integers beside floats")


@check("layers", when=lambda s: s.has_card)
def empty_batch_taken(s: Subject) -> None:
    """A batch without samples, which the last one may be on a replica, gives one without."""
    y = run_layer(moved_layer(s), s.inputs()[:0], training=True)
    require(len(y) == 0, f"a batch of none gives {len(y)} samples")


@check("layers", tag="random")
def randomness_seeded(s: Subject) -> None:
    """Equal seeds draw equal numbers, other seeds others, and a second call draws anew."""
    x, weights = s.inputs(batch=32), [v.value for v in moved_layer(s).trainable_variables]

    def draw(seed):
        layer = moved_layer(s, seed=seed)
        for variable, weight in zip(layer.trainable_variables, weights, strict=True):
            variable.assign(weight)  # which the seed does not draw
        return run_layer(layer, x, training=True)

    first = draw(1)
    require(np.array_equal(draw(1), first), "the same seed draws different numbers")
    tries = range(2, 3 if s.has_card else 10)  # one of a few outcomes may come up again by chance
    others = any(not np.array_equal(draw(seed), first) for seed in tries)
    require(others, "another seed draws the same numbers")
    layer = moved_layer(s, seed=1)
    first = run_layer(layer, x, training=True)
    anew = any(not np.array_equal(run_layer(layer, x, training=True), first) for _ in tries)
    require(anew, "a second call draws the same numbers")


@check("layers", when=lambda s: s.has_card and "random" not in s.tags)
def training_deterministic(s: Subject) -> None:
    """A layer that claims no randomness gives the same output twice in training."""
    layer, x = moved_layer(s), s.inputs()
    first, second = (run_layer(layer, x, training=True) for _ in range(2))
    require(np.array_equal(first, second), "training is random; tag the card `random`")


@check("layers", tag="recurrent")
def causal(s: Subject) -> None:
    """Later steps of a sequence do not change the outputs of earlier ones."""
    layer, x = moved_layer(s, **all_steps(s)), s.inputs()
    half = x.shape[1] // 2
    changed = np.concatenate([x[:, :half], x[:, half:] + 1.0], axis=1)
    before, after = (run_layer(layer, inputs)[:, :half] for inputs in (x, changed))
    close(after, before, "steps before a change")


@check("layers", tag="cell")
def cell_steps(s: Subject) -> None:
    """Stepped by hand from its initial state, a cell gives what keras.layers.RNN gives."""
    rnn, x = moved_layer(s), s.inputs()
    states = rnn.get_initial_state(BATCH)
    for t in range(x.shape[1]):
        y, states = rnn.cell(ops.convert_to_tensor(x[:, t]), states)
        close(backend.as_numpy(y), run_layer(rnn, x)[:, t], f"step {t}")
