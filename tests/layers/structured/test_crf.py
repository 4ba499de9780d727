import itertools

import keras
import numpy as np
import pytest

from kcatalog import layers, losses
from kcatalog.conformance import backend
from kcatalog.conformance.backend import as_numpy
from kcatalog.ops import allowed_tags

TAGS = ["O", "B-A", "I-A"]


def built(rng, **arguments):
    """A layer with random weights, and its input."""
    layer, x = layers.CRF(3, **arguments), rng.normal(size=(4, 5, 2)).astype("float32")
    layer.build(x.shape)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
    return layer, x


def best(layer, x, allowed=lambda y: True):
    """The best of all sequences of one sample, and the marginals, by equation 1 of the paper."""
    A, start, end, W, b = (np.asarray(w, "float64") for w in layer.get_weights())
    scores, p = {}, np.zeros((len(x), 3))
    for y in filter(allowed, itertools.product(range(3), repeat=len(x))):
        s = start[y[0]] + end[y[-1]] + sum(A[i, j] for i, j in itertools.pairwise(y))
        scores[y] = s + sum(x[t] @ W[:, k] + b[k] for t, k in enumerate(y))
        p[range(len(x)), list(y)] += np.exp(scores[y])
    return max(scores, key=scores.get), p / p.sum(-1, keepdims=True), scores


def chosen(path):
    return as_numpy(path).argmax(-1)


def test_reference_enumeration(rng):
    layer, x = built(rng)
    path, p = layer(x), as_numpy(layer(x, marginals=True))
    for b in range(len(x)):
        y, expected, _ = best(layer, x[b])
        assert tuple(chosen(path)[b]) == y
        np.testing.assert_allclose(p[b], expected, atol=1e-5)


def test_never_leaves_what_is_allowed(rng):
    """Nor what is known of the tags; the loss does not know of either."""
    rules = allowed_tags(TAGS)
    layer, x = built(rng, **rules)

    def allowed(y):
        return y[0] != 2 and (0, 2) not in itertools.pairwise(y)

    known = np.full((4, 5), -1)
    known[:, 3] = 2
    path, p = layer(x, known_tags=known), as_numpy(layer(x, known_tags=known, marginals=True))
    for b in range(len(x)):
        y, expected, _ = best(layer, x[b], lambda y: allowed(y) and y[3] == 2)
        assert tuple(chosen(path)[b]) == y
        np.testing.assert_allclose(p[b], expected, atol=1e-5)
    free = layers.CRF(3)
    free.build(x.shape)
    free.set_weights(layer.get_weights())
    loss, tags = losses.CRFCrossentropy(), np.full((4, 5), 2)
    np.testing.assert_allclose(*(as_numpy(loss(tags, part(x))) for part in (layer, free)))


def test_in_a_model(rng, tmp_path):
    """`fit` with plain arguments learns; in the loaded model padding changes nothing."""
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(5, 4, mask_zero=True)(ids)
    model = keras.Model(ids, layers.CRF(3)(x))
    adam, jit = keras.optimizers.Adam(0.1), backend.JIT
    model.compile(adam, losses.CRFCrossentropy(), metrics=["accuracy"], jit_compile=jit)
    ids = rng.integers(1, 5, (32, 6))
    tags = ids % 3
    history = model.fit(ids, tags, sample_weight=np.ones(32), epochs=15, batch_size=32, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0] / 2
    assert history.history["accuracy"][-1] > 0.9
    model.save(tmp_path / "model.keras")
    loaded, loss = keras.saving.load_model(tmp_path / "model.keras"), losses.CRFCrossentropy()
    padded, wider = (np.pad(x, [(0, 0), (2, 2)]) for x in (ids, tags))
    path, within = model(ids), loaded(padded)
    np.testing.assert_array_equal(chosen(within), np.pad(chosen(path), [(0, 0), (2, 2)]))
    values = [as_numpy(loss(*pair)) for pair in ((wider, within), (tags, path))]
    np.testing.assert_allclose(*values, atol=1e-4)


def test_a_layer_behind_it_is_refused(rng):
    layer, x = built(rng)
    with pytest.raises(ValueError, match="the output of kcatalog"):
        losses.CRFCrossentropy()(np.zeros((4, 5), int), 2 * layer(x))
