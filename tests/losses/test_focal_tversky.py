import keras
import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden


def reference(p, y, alpha=0.7, beta=0.3, gamma=4 / 3, epsilon=1.0):
    """Abraham and Khan's index for one image `(pixels, classes)`, pixel by pixel."""
    each = []
    for c in range(p.shape[-1]):
        found = missed = invented = 0.0
        for q, label in zip(p[:, c], y, strict=True):
            if label == c:
                found += q
                missed += 1 - q
            else:
                invented += q
        index = (found + epsilon) / (found + alpha * missed + beta * invented + epsilon)
        each.append((1 - index) ** (1 / gamma))
    return np.mean(each)


@pytest.mark.parametrize("settings", [{}, {"alpha": 0, "beta": 2, "gamma": 0.5, "epsilon": 0.1}])
def test_reference(rng, settings):
    p, y = rng.dirichlet(np.ones(4), size=(3, 5, 2)), rng.integers(0, 4, (3, 5, 2))
    each = as_numpy(losses.FocalTversky(**settings, reduction=None)(y, p.astype("float32")))
    expected = [
        reference(a.reshape(-1, 4), b.ravel(), **settings) for a, b in zip(p, y, strict=True)
    ]
    np.testing.assert_allclose(each, expected, rtol=1e-5)


def test_golden():
    peer = golden("pytorch_optimizer_focal_tversky")
    settings = {  # the peer swaps alpha and beta, and its gamma is the exponent itself
        "alpha": float(peer["beta"]),
        "beta": float(peer["alpha"]),
        "gamma": 1 / float(peer["gamma"]),
        "epsilon": float(peer["smooth"]),
        "from_logits": True,
    }
    s = peer["scores"][..., None]
    each = losses.FocalTversky(**settings, reduction=None)(peer["labels"], s)
    np.testing.assert_allclose(as_numpy(each), peer["loss"], rtol=1e-5)
    total = losses.FocalTversky(**settings, reduction="sum")
    _, (gradient,) = value_and_gradients(lambda s: total(peer["labels"], s), [s])
    np.testing.assert_allclose(gradient[..., 0], peer["gradient"], rtol=1e-4, atol=1e-6)


def test_gamma_of_one_is_keras_tversky(rng):
    y = rng.integers(0, 2, (3, 4, 5, 1)).astype("float32")
    p = rng.uniform(size=(3, 4, 5, 1)).astype("float32")
    ours = losses.FocalTversky(0.8, 0.1, gamma=1.0, epsilon=1e-7)(y, p)
    theirs = keras.losses.Tversky(0.8, 0.1, axis=(1, 2, 3))(y, p)
    np.testing.assert_allclose(as_numpy(ours), as_numpy(theirs), rtol=1e-5)


def test_a_perfect_mask_has_a_finite_gradient():
    y = np.array([[[1.0], [0.0], [1.0]]], "float32")
    value, (gradient,) = value_and_gradients(lambda p: losses.FocalTversky()(y, p), [y])
    assert value == 0
    assert np.all(np.isfinite(gradient))
    assert np.all(gradient * (1 - 2 * y) > 0)
