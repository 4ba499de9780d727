import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden

Poly = losses.PolyCrossentropy
SETTINGS = [{}, {"epsilon": -1.0}, {"epsilon": 0.5, "label_smoothing": 0.3}]


def reference(p, y, epsilon=2.0, label_smoothing=0.0):
    """Poly-1 as the paper writes it: cross-entropy, plus epsilon times 1 - P_t."""
    each = []
    for row, label in zip(p.astype("float64"), y, strict=True):
        crossentropy, p_t = 0.0, 0.0
        for c, p_c in enumerate(row / sum(row)):
            q = (1 - label_smoothing) * (c == label) + label_smoothing / len(row)
            crossentropy -= q * np.log(p_c)
            p_t += q * p_c
        each.append(crossentropy + epsilon * (1 - p_t))
    return each


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("from_logits", [True, False])
def test_reference(rng, settings, from_logits):
    s, y = rng.normal(size=(6, 4)).astype("float32"), rng.integers(0, 4, 6)
    loss = Poly(**settings, from_logits=from_logits, reduction=None)
    each = as_numpy(loss(y, s if from_logits else np.exp(s)))
    np.testing.assert_allclose(each, reference(np.exp(s), y, **settings), rtol=1e-5)


def test_golden():
    peer = golden("optax_poly_loss")
    for i, epsilon in enumerate(peer["epsilon"]):
        loss = Poly(float(epsilon), from_logits=True, reduction=None)
        each = as_numpy(loss(peer["targets"], peer["scores"]))
        np.testing.assert_allclose(each, peer["loss"][i], rtol=1e-5, atol=1e-6)
        _, (gradient,) = value_and_gradients(
            lambda s, loss=loss: ops.sum(loss(peer["targets"], s)), [peer["scores"]]
        )
        np.testing.assert_allclose(gradient, peer["gradient"][i], rtol=1e-5, atol=1e-6)


def test_it_is_the_series_with_its_first_term_changed():
    p = np.array([[0.7, 0.3]], "float32")
    series = [(1 - 0.7) ** j / j for j in range(1, 60)]
    series[0] *= 1 + 0.5
    np.testing.assert_allclose(as_numpy(Poly(0.5)(np.array([0]), p)), sum(series), rtol=1e-5)


def test_without_epsilon_it_is_crossentropy_along_any_axis(rng):
    s, y = 5 * rng.normal(size=(2, 7, 3)).astype("float32"), rng.integers(0, 7, (2, 3))
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None)
    ours = Poly(0.0, from_logits=True, axis=1, reduction=None)
    expected = as_numpy(theirs(y, np.moveaxis(s, 1, -1)))
    np.testing.assert_allclose(as_numpy(ours(y, s)), expected, rtol=1e-5, atol=1e-6)


def test_a_hopeless_sample_keeps_its_gradient():
    s = np.array([[1e4, -1e4]], "float32")
    loss = Poly(2.0, from_logits=True)
    value, (gradient,) = value_and_gradients(lambda s: loss(np.array([1]), s), [s])
    assert value == 20_002
    np.testing.assert_array_equal(gradient, [[1, -1]])
