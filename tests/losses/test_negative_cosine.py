import keras
import numpy as np

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients


def reference(z, p):
    """Equation 1 of Chen and He, one sample at a time."""
    pairs = zip(np.asarray(z, "float64"), np.asarray(p, "float64"), strict=True)
    return [-(a @ b) / np.sqrt(sum(a**2)) / np.sqrt(sum(b**2)) for a, b in pairs]


def test_reference(rng):
    z, p = rng.normal(size=(2, 7, 4)).astype("float32")
    each = losses.NegativeCosine(reduction=None)
    np.testing.assert_allclose(as_numpy(each(z, p)), reference(z, p), rtol=1e-5)
    stacked = each(np.zeros(7), np.stack([z, p], axis=1))
    np.testing.assert_allclose(as_numpy(stacked), reference(z, p), rtol=1e-5)


def test_the_target_stands_still(rng):
    pairs = rng.normal(size=(7, 2, 4)).astype("float32")
    loss, ignored = losses.NegativeCosine(), np.zeros(7)
    _, (gradient,) = value_and_gradients(lambda pairs: loss(ignored, pairs), [pairs])
    assert np.all(gradient[:, 0] == 0)
    assert np.all(np.any(gradient[:, 1] != 0, axis=1))


def test_gradient_of_the_prediction_is_that_of_keras(rng):
    z, p = rng.normal(size=(2, 7, 4)).astype("float32")
    ours, theirs = (
        value_and_gradients(lambda p, f=loss: f(z, p), [p])
        for loss in (losses.NegativeCosine(), keras.losses.CosineSimilarity())
    )
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-5)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-4, atol=1e-6)


def test_with_its_gradient_the_target_moves_as_the_prediction_does(rng):
    z, p = rng.normal(size=(2, 7, 4)).astype("float32")
    loss = losses.NegativeCosine(stop_gradient=False)
    _, (to_z, to_p) = value_and_gradients(loss, [z, p])
    _, (from_p, from_z) = value_and_gradients(loss, [p, z])
    np.testing.assert_allclose(to_z, from_z, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(to_p, from_p, rtol=1e-5, atol=1e-7)
