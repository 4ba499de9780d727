"""Beam search and sampling against enumeration and loops."""

import itertools

import numpy as np
import pytest
from keras import ops

from kcatalog.conformance import backend
from kcatalog.ops import decoding

END, V = 0, 3


def table(rng, rows=2):
    """Logits that depend on the sequence, its last two tokens and its place."""
    return rng.normal(size=(rows, 5, V, V, V)).astype("float32") * 1.5


def stepper(logits, width=1):
    """A step whose states are the place, the token before and the number of the row."""
    logits = ops.convert_to_tensor(logits)

    def step(tokens, states):
        row, place, before = states
        flat = ops.reshape(logits, (-1, V))
        at = ((row * 5 + place) * V + before) * V + tokens
        return ops.take(flat, at, axis=0), [row, place + 1, tokens]

    return step


def start(rows=2):
    states = [ops.arange(rows), ops.zeros(rows, "int32"), ops.zeros(rows, "int32")]
    return ops.ones(rows, "int32"), states


def log_softmax(z):
    return z - np.log(np.sum(np.exp(z)))


def every_sequence(logits, row, steps, α):
    """All sequences of at most `steps` tokens with their scores, the best first."""
    found = {}
    for tokens in itertools.product(range(V), repeat=steps):
        ended = tokens.index(END) + 1 if END in tokens else steps
        whole = (*tokens[:ended], *[END] * (steps - ended))
        before, last, total = 0, 1, 0.0
        for place, token in enumerate(tokens[:ended]):
            total += log_softmax(logits[row, place, before, last].astype("float64"))[token]
            before, last = last, token
        found[whole] = total / ((5 + ended) / 6) ** α
    return sorted(found.items(), key=lambda item: -item[1])


@pytest.mark.parametrize("α", [0.0, 0.8])
def test_reference_wide_beams_search_exhaustively(rng, α):
    steps, logits = 3, table(rng)
    wanted = [every_sequence(logits, row, steps, α) for row in range(2)]
    width = V**steps
    ids, scores = decoding.beam_search(
        stepper(logits), *start(), width, steps, END, length_penalty_weight=α
    )
    ids, scores = ops.convert_to_numpy(ids), ops.convert_to_numpy(scores)
    for row in range(2):
        for i, (tokens, score) in enumerate(wanted[row]):
            assert tuple(ids[row, i]) == tokens
            np.testing.assert_allclose(scores[row, i], score, rtol=1e-4, atol=1e-5)
        assert np.all(scores[row, len(wanted[row]) :] < -1e30)  # there are no others


def searched(logits, row, width, steps, α):
    """Beam search with lists and loops."""
    beams = [((), 1, 0, 0.0, 0, False)]  # tokens, last, before, log P, length, ended
    for place in range(steps):
        found = []
        for tokens, last, before, p, n, ended in beams:
            if ended:
                found.append(((*tokens, END), END, last, p, n, True))
                continue
            each = log_softmax(logits[row, place, before, last].astype("float64"))
            found += [((*tokens, v), v, last, p + each[v], n + 1, v == END) for v in range(V)]
        found.sort(key=lambda b: -b[3] / ((5 + b[4]) / 6) ** α)
        beams = found[:width]
    return [(b[0], b[3] / ((5 + b[4]) / 6) ** α) for b in beams]


@pytest.mark.parametrize("width", [1, 2, 4])
def test_reference_narrow_beams(rng, width):
    logits = table(rng, 4)
    ids, scores = decoding.beam_search(
        stepper(logits), *start(4), width, 5, END, length_penalty_weight=0.5
    )
    for row in range(4):
        wanted = searched(logits, row, width, 5, 0.5)[:width]
        for i, (tokens, score) in enumerate(wanted):
            assert tuple(ops.convert_to_numpy(ids)[row, i]) == tokens
            np.testing.assert_allclose(ops.convert_to_numpy(scores)[row, i], score, rtol=1e-4)


def test_greedy_is_a_beam_of_one(rng):
    logits = table(rng, 4)
    greedy = decoding.generate(
        stepper(logits), *start(4), lambda z, t: ops.argmax(z, axis=-1), 5, END
    )
    beams, _ = decoding.beam_search(stepper(logits), *start(4), 1, 5, END)
    np.testing.assert_array_equal(ops.convert_to_numpy(greedy), ops.convert_to_numpy(beams[:, 0]))


def test_without_an_end_token_every_step_is_taken(rng):
    logits = table(rng)
    ids, _ = decoding.beam_search(stepper(logits), *start(), 2, 5)
    greedy = decoding.generate(stepper(logits), *start(), lambda z, t: ops.argmax(z, axis=-1), 5)
    assert ids.shape == (2, 2, 5)
    assert greedy.shape == (2, 5)


def test_coverage(rng):
    """The sum over the memory is added to the scores of those that have ended."""
    attention = np.eye(V, dtype="float32")  # a token attends to the position of its number

    def step(tokens, states):
        z = ops.zeros((ops.shape(tokens)[0], V)) + ops.convert_to_tensor([0.0, 0.5, 0.0])
        return z, [ops.take(ops.convert_to_tensor(attention), tokens, axis=0)]

    tokens, states = ops.convert_to_tensor([1], "int32"), [ops.zeros((1, V))]
    mask = ops.convert_to_tensor([[False, True, True]])

    def best(weight, mask):
        found = decoding.beam_search(
            step, tokens, states, V**3, 3, END, 0.0, weight, lambda s: s[0], mask
        )
        return [ops.convert_to_numpy(x)[0] for x in found]

    def score(ids):
        p, last, cover = 0.0, 1, np.zeros(V)
        for token in ids:
            p += log_softmax(np.array([0.0, 0.5, 0.0]))[token]
            cover, last = cover + attention[last], token
            if token == END:
                tiny = np.finfo("float32").tiny
                return p + 0.01 * np.sum(np.log(np.clip(cover, tiny, 1))[1:])
        return p

    ids, scores = best(0.01, mask)
    wanted = [score(row) for row in ids[:15]]
    np.testing.assert_allclose(scores[:15], wanted, rtol=1e-4)
    assert wanted == sorted(wanted, reverse=True)


@pytest.mark.skipif(not backend.COMPILES, reason="PyTorch runs eagerly")
def test_compiled(rng):
    logits = table(rng)

    def search(tokens):
        return decoding.beam_search(stepper(logits), tokens, start()[1], 3, 4, END)[0]

    tokens = start()[0]
    found = ops.convert_to_numpy(backend.compiled(search, xla=True)(tokens))
    np.testing.assert_array_equal(found, ops.convert_to_numpy(search(tokens)))
