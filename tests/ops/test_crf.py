import itertools

import numpy as np
import pytest
from keras import ops

from kcatalog.conformance.backend import as_numpy, call, value_and_gradients
from kcatalog.ops import crf
from tests.golden.load import golden

BATCH, STEPS, TAGS = 6, 5, 3
MASKS = ["11111", "11100", "00111", "01011", "10001", "00000"]


def problem(rng):
    """Potentials, transitions, mask, start, end and tags."""
    u, A = rng.normal(size=(BATCH, STEPS, TAGS)), rng.normal(size=(TAGS, TAGS))
    mask = np.array([[c == "1" for c in row] for row in MASKS])
    start, end = rng.normal(size=(2, TAGS))
    floats = [2 * x.astype("float32") for x in (u, A, start, end)]
    return *floats, mask, rng.integers(0, TAGS, (BATCH, STEPS))


def paths(u, A, start, end, mask):
    """Every tag sequence of the real steps, with its score."""
    steps = np.flatnonzero(mask)
    for y in itertools.product(range(TAGS), repeat=len(steps)):
        s = sum(u[t, k] for t, k in zip(steps, y, strict=True))
        s += sum(A[i, j] for i, j in itertools.pairwise(y))
        yield y, s + (start[y[0]] + end[y[-1]] if y else 0.0)


def test_reference_enumeration(rng):
    """Scores, sums, marginals and best paths against all 3⁵ sequences, one at a time."""
    u, A, start, end, mask, tags = problem(rng)
    allowed = rng.random((BATCH, STEPS, TAGS)) < 0.6
    allowed[..., 1] = True
    ends = {"mask": mask, "start": start, "end": end}
    score = as_numpy(crf.crf_sequence_score(u, tags, A, **ends))
    for bitmap in (np.ones_like(allowed), allowed):
        log_norm = as_numpy(crf.crf_log_norm(u, A, **ends, allowed=bitmap))
        best, best_score = map(as_numpy, crf.crf_decode(u, A, **ends, allowed=bitmap))
        marginals = as_numpy(crf.crf_marginals(u, A, **ends, allowed=bitmap))
        for b in range(BATCH):
            steps = np.flatnonzero(mask[b])
            all_paths = dict(paths(u[b], A, start, end, mask[b]))
            y = tuple(tags[b, steps])
            np.testing.assert_allclose(score[b], all_paths[y], rtol=1e-5, atol=1e-5)
            kept = {
                y: s
                for y, s in all_paths.items()
                if all(bitmap[b, t, k] for t, k in zip(steps, y, strict=True))
            }
            Z = sum(np.exp(s) for s in kept.values())
            np.testing.assert_allclose(log_norm[b], np.log(Z), rtol=1e-5, atol=1e-5)
            y = max(kept, key=kept.get)
            assert tuple(best[b, steps]) == y
            assert not best[b, ~mask[b]].any()
            np.testing.assert_allclose(best_score[b], kept[y], rtol=1e-5, atol=1e-5)
            p = np.zeros((STEPS, TAGS))
            for y, s in kept.items():
                p[steps, list(y)] += np.exp(s) / Z
            np.testing.assert_allclose(marginals[b], p, atol=1e-5)
    multitag = crf.crf_multitag_sequence_score(u, allowed, A, **ends)
    np.testing.assert_array_equal(as_numpy(multitag), log_norm)


def test_gradient_of_log_norm_is_the_marginals(rng):
    u, A, start, end, mask, _ = problem(rng)
    g = rng.normal(size=BATCH).astype("float32")

    def weighted(u, A, start, end):
        return ops.sum(ops.multiply(crf.crf_log_norm(u, A, mask, start, end), g))

    _, (du, dA, dstart, dend) = value_and_gradients(weighted, [u, A, start, end])
    p = as_numpy(crf.crf_marginals(u, A, mask, start, end))
    np.testing.assert_allclose(p.sum(-1), mask, atol=1e-5)
    np.testing.assert_allclose(du, g[:, None, None] * p, atol=1e-5)
    expected = [np.zeros_like(x) for x in (A, start, end)]
    for b in range(BATCH - 1):
        all_paths = list(paths(u[b], A, start, end, mask[b]))
        Z = sum(np.exp(s) for _, s in all_paths)
        for y, s in all_paths:
            w = g[b] * np.exp(s) / Z
            expected[1][y[0]] += w
            expected[2][y[-1]] += w
            for i, j in itertools.pairwise(y):
                expected[0][i, j] += w
    for found, wanted in zip((dA, dstart, dend), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_one_step(rng):
    """The marginals are a softmax then, and nothing is a transition."""
    u, A, *_ = problem(rng)
    u = u[:, :1]
    log_norm, (du, dA) = value_and_gradients(lambda u, A: ops.sum(crf.crf_log_norm(u, A)), [u, A])
    np.testing.assert_allclose(log_norm, np.log(np.exp(u).sum(-1)).sum(), rtol=1e-5)
    np.testing.assert_allclose(du, np.exp(u) / np.exp(u).sum(-1, keepdims=True), rtol=1e-5)
    assert not dA.any()
    np.testing.assert_array_equal(as_numpy(crf.crf_decode(u, A)[0]), u.argmax(-1))


def test_infinite_scores_forbid(rng):
    u, A, *_ = problem(rng)
    A[0, 1] = A[2, 2] = -np.inf
    u[:, 2, 0] = -np.inf
    log_norm, (du, dA) = value_and_gradients(lambda u, A: ops.sum(crf.crf_log_norm(u, A)), [u, A])
    assert np.isfinite(log_norm)
    assert np.isfinite(du).all()
    assert dA[0, 1] == dA[2, 2] == 0
    tags = as_numpy(crf.crf_decode(u, A)[0])
    pairs = set(zip(tags[:, :-1].ravel(), tags[:, 1:].ravel(), strict=True))
    assert not pairs & {(0, 1), (2, 2)}
    assert (tags[:, 2] != 0).all()


@pytest.mark.parametrize("size", [1e-20, 1e4])
def test_extreme_scores(size, rng):
    u, A, start, end, mask, tags = problem(rng)
    value, gradients = value_and_gradients(
        lambda *x: ops.sum(crf.crf_log_likelihood(x[0], tags, x[1], mask, x[2], x[3])),
        [size * x for x in (u, A, start, end)],
    )
    assert np.isfinite(value)
    assert all(np.isfinite(g).all() for g in gradients)
    assert (as_numpy(crf.crf_log_likelihood(size * u, tags, size * A, mask)) <= 1e-2).all()


def test_golden_tfa():
    peer = golden("tfa_crf")
    u, A, tags = peer["potentials"], peer["transitions"], peer["tags"]
    mask = np.arange(u.shape[1]) < peer["lengths"][:, None]

    def likelihood(u, A):
        found = crf.crf_log_likelihood(u, tags, A, mask)
        return ops.sum(ops.multiply(found, peer["cotangent"]))

    def values(u, A):
        decoded, score = crf.crf_decode(u, A, mask)
        constrained, constrained_score = crf.crf_decode(u, A, mask, allowed=peer["bitmap"])
        viterbi, viterbi_score = crf.crf_decode(u[:1], A)
        return {
            "log_norm": crf.crf_log_norm(u, A, mask),
            "score": crf.crf_sequence_score(u, tags, A, mask),
            "multitag_score": crf.crf_multitag_sequence_score(u, peer["bitmap"], A, mask),
            "log_likelihood": crf.crf_log_likelihood(u, tags, A, mask),
            "decoded": decoded,
            "decoded_score": score,
            "constrained": constrained,
            "constrained_score": constrained_score,
            "viterbi": viterbi[0],
            "viterbi_score": viterbi_score[0],
        }

    found = call(values, *map(ops.convert_to_tensor, (u, A)))
    _, (du, dA) = value_and_gradients(likelihood, [u, A])
    found["log_likelihood_gradient_potentials"] = du
    found["log_likelihood_gradient_transitions"] = dA
    for name, value in found.items():
        value, expected = as_numpy(value), peer[name]
        if name in ("decoded", "constrained"):  # padding aside
            value, expected = value[mask], expected[mask]
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5, err_msg=name)


def test_golden_torch():
    peer = golden("torch_crf")
    arrays = [peer[name] for name in ("potentials", "transitions", "start", "end")]
    mask, tags = peer["mask"], peer["tags"]

    def likelihood(u, A, start, end):
        found = crf.crf_log_likelihood(u, tags, A, mask, start, end)
        return ops.sum(ops.multiply(found, peer["cotangent"]))

    value, gradients = value_and_gradients(likelihood, arrays)
    np.testing.assert_allclose(value, peer["log_likelihood"] @ peer["cotangent"], rtol=1e-5)
    names = ("potentials", "transitions", "start", "end")
    for name, gradient in zip(names, gradients, strict=True):
        np.testing.assert_allclose(gradient, peer[f"gradient_{name}"], rtol=1e-3, atol=1e-5)
    u, A, start, end = arrays
    decoded = as_numpy(crf.crf_decode(u, A, mask, start, end)[0])
    np.testing.assert_array_equal(decoded, peer["decoded"])
