import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden


def reference(s, y):
    """Berman et al.: the Jaccard loss of the k worst pixels, by sets, extended to hinge errors."""
    errors = [1 - (1 if label else -1) * v for v, label in zip(s.ravel(), y.ravel(), strict=True)]
    foreground = {i for i, label in enumerate(y.ravel()) if label}
    total, before, wrong = 0.0, 0.0, set()
    for i in sorted(range(len(errors)), key=lambda i: -errors[i]):
        wrong.add(i)
        after = len(wrong) / len(foreground | wrong)
        total += max(errors[i], 0.0) * (after - before)
        before = after
    return total


def images(rng):
    s, y = rng.normal(size=(4, 5, 6)).astype("float32"), rng.integers(0, 2, (4, 5, 6))
    y[1], y[2] = 0, 1
    return s, y


def test_reference(rng):
    s, y = images(rng)
    expected = [reference(*image) for image in zip(s, y, strict=True)]
    for labels in (y, 2 * y - 1, y[..., None]):
        each = as_numpy(losses.LovaszHinge(reduction=None)(labels, s))
        np.testing.assert_allclose(each, expected, rtol=1e-5)


def test_reference_of_the_whole_batch(rng):
    s, y = images(rng)
    loss = losses.LovaszHinge(per_image=False)
    np.testing.assert_allclose(float(loss(y, s)), reference(s, y), rtol=1e-5)
    _, (gradient,) = value_and_gradients(lambda s: loss(y, s), [s])
    one = losses.LovaszHinge()
    _, (together,) = value_and_gradients(lambda s: one(y.reshape(1, -1), s), [s.reshape(1, -1)])
    np.testing.assert_allclose(gradient.ravel(), together.ravel(), rtol=1e-5, atol=1e-7)


def test_golden():
    peer = golden("pytorch_optimizer_lovasz_hinge")
    each = losses.LovaszHinge(reduction=None)(peer["labels"], peer["scores"])
    np.testing.assert_allclose(as_numpy(each), peer["loss"], rtol=1e-5)
    total = losses.LovaszHinge(reduction="sum")
    _, (gradient,) = value_and_gradients(lambda s: total(peer["labels"], s), [peer["scores"]])
    np.testing.assert_allclose(gradient, peer["gradient"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("missed", [1, 3])
def test_scores_of_one_give_the_index(missed):
    """The loss is twice the Jaccard loss of the mask where every score is ±1."""
    y = np.array([[1, 1, 1, 1, 0, 0, 0, 0]])
    guess = y.copy()
    guess[0, :missed], guess[0, 4] = 0, 1
    iou = np.sum(y & guess) / np.sum(y | guess)
    loss = losses.LovaszHinge()(y, (2 * guess - 1).astype("float32"))
    np.testing.assert_allclose(float(loss), 2 * (1 - iou), rtol=1e-6)
