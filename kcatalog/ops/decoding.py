"""Loops that generate tokens by a function `(tokens, states) -> (logits, states)`.

The function is called with tokens `(rows,)` and states, any nested structure of tensors `(rows,
...)`. It may be a recurrent cell between an embedding and a dense layer, or a transformer with its
caches. All shapes are static, and one loop is compiled for all steps.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from kcatalog.ops.precision import at_least_float32
from kcatalog.ops.sampling import NEVER
from kcatalog.types import Tensor

_TINY = float(np.finfo("float32").tiny)


def generate(
    step: Tensor,
    tokens: Tensor,
    states: list[Tensor],
    choose: Callable[..., Any],
    max_steps: int,
    end_token: int | None = None,
) -> Tensor:
    """Return the tokens `(batch, max_steps)` that follow `tokens`, one after the other.

    Args:
        step: the function `(tokens, states) -> (logits, states)`.
        tokens: the last token of each sequence, `(batch,)`.
        states: the states before it.
        choose: a function `(logits, step number) -> tokens`.
        max_steps: how many tokens to generate.
        end_token: what ends a sequence and fills the rest of its row; None if nothing does.
    """
    fill = 0 if end_token is None else end_token
    ids = ops.zeros((ops.shape(tokens)[0], max_steps), "int32") + fill
    done = ops.zeros_like(tokens, dtype="bool")

    def unfinished(t, tokens, ids, done, *flat):
        return ops.logical_and(t < max_steps, ops.any(ops.logical_not(done)))

    def body(t, tokens, ids, done, *flat):
        logits, flat = _stepped(step, tokens, flat, states)
        tokens = ops.where(done, fill, ops.cast(choose(logits, t), "int32"))
        if end_token is not None:
            done = ops.logical_or(done, ops.equal(tokens, end_token))
        return t + 1, tokens, _written(ids, t, tokens), done, *flat

    start = (ops.zeros((), "int32"), ops.cast(tokens, "int32"), ids, done)
    return _looped(unfinished, body, (*start, *keras.tree.flatten(states)), max_steps)[2]


def beam_search(
    step: Tensor,
    tokens: Tensor,
    states: list[Tensor],
    beam_width: int,
    max_steps: int,
    end_token: int | None = None,
    length_penalty_weight: float = 0.0,
    coverage_penalty_weight: float = 0.0,
    alignments: Tensor | None = None,
    memory_mask: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the `beam_width` best continuations of each sequence, and their scores.

    Every step keeps the best of all hypotheses that continue one of those kept before, or have
    ended. The score of a hypothesis `Y` is `log P(Y) / ((5 + |Y|) / 6)^α`, plus, once it has ended,
    `β sum over the memory of log(min(attention, 1))` (Wu et al. 2016); `|Y|` counts the end token.

    Args:
        step: the function `(tokens, states) -> (logits, states)`. Its rows are the beams of all
            sequences, `beam_width` after each other for each sequence. The caller repeats what it
            closes over: `ops.repeat(memory, beam_width, axis=0)`.
        tokens: the last token of each sequence, `(batch,)`.
        states: the states before it, of the batch.
        beam_width: how many hypotheses to keep.
        max_steps: the largest number of tokens of a hypothesis.
        end_token: the token that ends a hypothesis; None if nothing does.
        length_penalty_weight: `α`.
        coverage_penalty_weight: `β`.
        alignments: a function from the states to the attention `(rows, memory steps)` of the last
            step, for the coverage penalty.
        memory_mask: `(batch, memory steps)`; padding need not be covered.

    Returns:
        Tokens `(batch, beam_width, max_steps)`, the best first, filled with `end_token`, and
        scores `(batch, beam_width)`.
    """
    W, fill, batch = beam_width, 0 if end_token is None else end_token, ops.shape(tokens)[0]
    states = keras.tree.map_structure(lambda s: ops.repeat(s, W, axis=0), states)
    penalized = end_token is not None and coverage_penalty_weight > 0 and alignments is not None
    covered = [ops.zeros_like(at_least_float32(alignments(states)))] if penalized else []
    others = ops.cast(ops.not_equal(ops.arange(W), 0), "float32") * NEVER  # all beams are alike
    none = ops.zeros((batch, W), "float32")
    start = {
        "tokens": ops.repeat(ops.cast(tokens, "int32"), W, axis=0),
        "ids": ops.zeros((batch, W, max_steps), "int32") + fill,
        "log_p": none + others,
        "score": none + others,
        "length": none,
        "done": ops.zeros_like(none, dtype="bool"),
    }
    names, cover = list(start), slice(len(start), len(start) + len(covered))

    def unfinished(t, *values):
        done = values[names.index("done")]
        return ops.logical_and(t < max_steps, ops.any(ops.logical_not(done)))

    def body(t, *values):
        beam = dict(zip(names, values, strict=False))
        logits, flat = _stepped(step, beam["tokens"], values[cover.stop :], states)
        V, done = logits.shape[-1], ops.expand_dims(beam["done"], -1)
        log_p = ops.reshape(ops.log_softmax(at_least_float32(logits), axis=-1), (batch, W, V))
        log_p = ops.cast(log_p, "float32")
        ends = ops.equal(ops.arange(V), -1 if end_token is None else end_token)
        log_p = ops.where(done, ops.where(ends, 0.0, NEVER), log_p)
        log_p = ops.maximum(ops.expand_dims(beam["log_p"], -1) + log_p, NEVER)
        length = beam["length"] + ops.cast(ops.logical_not(beam["done"]), "float32")
        penalty = ((5.0 + length) / 6.0) ** length_penalty_weight
        score = log_p / ops.expand_dims(penalty, -1)
        coverage = values[cover]
        if penalized:
            new = alignments(keras.tree.pack_sequence_as(states, flat))
            still = ops.reshape(ops.cast(ops.logical_not(beam["done"]), "float32"), (-1, 1))
            coverage = [coverage[0] + still * ops.cast(new, "float32")]
            missing = ops.log(ops.clip(coverage[0], _TINY, 1.0))
            missing = ops.reshape(missing, (batch, W, -1))
            if memory_mask is not None:
                missing = ops.where(ops.expand_dims(ops.cast(memory_mask, "bool"), 1), missing, 0.0)
            missing = ops.sum(missing, axis=-1, keepdims=True)
            score = score + ops.where(ends, coverage_penalty_weight * missing, 0.0)
        score, best = ops.top_k(ops.reshape(score, (batch, W * V)), W)
        parent, token = best // V, ops.cast(best % V, "int32")
        rows = ops.reshape(
            ops.expand_dims(ops.arange(batch), 1) * W + ops.cast(parent, "int32"), (-1,)
        )

        def kept(x):
            return ops.take(x, rows, axis=0)

        def kept_beams(x):
            flat = ops.reshape(x, (batch * W, *x.shape[2:]))
            return ops.reshape(kept(flat), (batch, W, *x.shape[2:]))

        log_p = ops.take_along_axis(ops.reshape(log_p, (batch, W * V)), best, axis=-1)
        done = kept_beams(beam["done"])
        if end_token is not None:
            done = ops.logical_or(done, ops.equal(token, end_token))
        after = {
            "tokens": ops.reshape(token, (-1,)),
            "ids": _written(kept_beams(beam["ids"]), t, token),
            "log_p": log_p,
            "score": score,
            "length": kept_beams(length),
            "done": done,
        }
        return t + 1, *after.values(), *map(kept, coverage), *map(kept, flat)

    flat = keras.tree.flatten(states)
    start = (ops.zeros((), "int32"), *start.values(), *covered, *flat)
    found = dict(zip(names, _looped(unfinished, body, start, max_steps)[1:], strict=False))
    return found["ids"], found["score"]


def _stepped(step, tokens, flat, states):
    """Take a step with states as a flat list, which keep their data types."""
    logits, after = step(tokens, keras.tree.pack_sequence_as(states, list(flat)))
    new = zip(keras.tree.flatten(after), flat, strict=True)
    return logits, [ops.cast(n, old.dtype) for n, old in new]


def _written(ids, t, tokens):
    """Return `ids` with `tokens` at the place `t` of the last axis."""
    here = ops.equal(ops.arange(ids.shape[-1]), t)
    return ops.where(here, ops.expand_dims(tokens, -1), ids)


def _looped(unfinished, body, start, max_steps):
    """Run a loop without a gradient: what it chooses has none."""
    found = ops.while_loop(unfinished, body, start, maximum_iterations=max_steps)
    return [ops.stop_gradient(x) for x in found]
