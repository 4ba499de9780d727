"""The attention of one query, one number at a time."""

import numpy as np
from keras import ops


def assert_close(actual, wanted, rtol=1e-4, atol=1e-5):
    actual, wanted = (ops.convert_to_numpy(x) for x in (actual, wanted))
    np.testing.assert_allclose(actual, wanted, rtol=rtol, atol=atol)


def weights_of(layer):
    return {w.name: ops.convert_to_numpy(w) for w in layer.weights}


def additive(w, q, m):
    """The score of one position, as in section A.1.2 of Bahdanau et al."""
    hidden = q @ w["query_kernel"] + m @ w["memory_kernel"] + w.get("bias", 0.0)
    v = w["scores"]
    if "length" in w:
        v = w["length"] * v / np.sqrt(sum(v**2))
    return sum(a * np.tanh(b) for a, b in zip(v, hidden, strict=True))


def multiplicative(w, q, m):
    return w.get("scale", 1.0) * (q @ (m @ w["memory_kernel"]))


def softmax(e):
    return np.exp(e - max(e)) / sum(np.exp(e - max(e)))


def walked(e, previous, hard):
    """The alignment of a walk that stops or goes on, position by position (Raffel et al.)."""
    p = np.array([float(s > 0) if hard else 1 / (1 + np.exp(-s)) for s in e])
    found, here = [], 0.0
    for j in range(len(e)):
        here += previous[j]
        found.append(p[j] * here)
        here -= found[-1]
    return np.array(found)


def check_reference(rng, layer, score):
    """Compare a mechanism with loops: masks, an all-padding row, alignments of before."""
    monotonic = layer.monotonic
    q, m = rng.normal(size=(3, 4)), rng.normal(size=(3, 6, 5))
    mask = np.array([[True] * 6, [True] * 4 + [False] * 2, [False] * 6])
    previous = np.abs(rng.normal(size=(3, 6)))
    previous /= previous.sum(1, keepdims=True)
    if monotonic == "hard":
        previous = np.eye(6)[[0, 2, 1]]
    layer.build(q.shape, m.shape)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
    context, alignments = layer(
        *map(ops.convert_to_tensor, (q, m)), alignments=previous, memory_mask=mask
    )
    w = weights_of(layer)
    for n in range(3):
        wanted, real = np.zeros(6), int(mask[n].sum())
        e = [score(w, q[n], m[n, j]) + w.get("score_bias", 0.0) for j in range(real)]
        if monotonic:
            wanted[:real] = walked(e, previous[n], monotonic == "hard")
        elif real:
            wanted[:real] = softmax(np.array(e))
        assert_close(alignments[n], wanted)
        assert_close(context[n], wanted @ m[n])
