import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden


def reference(p, y, epsilon):
    """Sudre et al.'s sums for one image `(pixels, classes)`, pixel by pixel."""
    sizes = [sum(label == c for label in y) for c in range(p.shape[-1])]
    rarest = min(size for size in sizes if size)
    above, below = epsilon, epsilon
    for c, size in enumerate(sizes):
        weight = (rarest / (size or rarest)) ** 2
        for q, label in zip(p[:, c], y, strict=True):
            above += 2 * weight * (label == c) * q
            below += weight * ((label == c) + q)
    return 1 - above / below


def test_reference(rng):
    p, y = rng.dirichlet(np.ones(4), size=(3, 5, 2)), rng.integers(0, 4, (3, 5, 2))
    y[1][y[1] == 3] = 0
    each = as_numpy(losses.GeneralizedDice(0.3, reduction=None)(y, p.astype("float32")))
    expected = [reference(a.reshape(-1, 4), b.ravel(), 0.3) for a, b in zip(p, y, strict=True)]
    np.testing.assert_allclose(each, expected, rtol=1e-5)


def test_golden():
    peer = golden("monai_generalized_dice")
    settings = {"epsilon": 1e-9, "from_logits": True}
    each = losses.GeneralizedDice(**settings, reduction=None)(peer["labels"], peer["scores"])
    np.testing.assert_allclose(as_numpy(each), peer["loss"], rtol=1e-5)
    total = losses.GeneralizedDice(**settings, reduction="sum")
    _, (gradient,) = value_and_gradients(lambda s: total(peer["labels"], s), [peer["scores"]])
    np.testing.assert_allclose(gradient, peer["gradient"], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("pixels", [4, 60_000])
def test_a_class_that_is_absent_does_not_drown_the_others(pixels):
    """One pixel in four is wrong, of any size of image."""
    y, s = np.zeros((1, pixels), int), np.zeros((1, pixels, 3), "float32")
    y[:, : pixels // 2] = 1
    s[0, np.arange(pixels), y[0]] = 50
    s[:, : pixels // 4] = [50, 0, 0]
    value = float(losses.GeneralizedDice(1e-9, from_logits=True)(y, s))
    np.testing.assert_allclose(value, 0.25, rtol=1e-5)


def test_an_empty_mask():
    y, p = np.zeros((1, 4, 1)), np.full((1, 4, 1), 0.25, "float32")
    loss = losses.GeneralizedDice(epsilon=1.0)
    value, (gradient,) = value_and_gradients(lambda p: loss(y, p), [p])
    np.testing.assert_allclose(value, 0.5)
    np.testing.assert_allclose(gradient, np.full((1, 4, 1), 0.25))
