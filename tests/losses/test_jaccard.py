import numpy as np

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden


def reference(p, y, epsilon):
    """Rahman and Wang's sums for one image `(pixels, classes)`, pixel by pixel."""
    each = []
    for c in range(p.shape[-1]):
        intersection = union = epsilon
        for q, label in zip(p[:, c], y, strict=True):
            r = float(label == c)
            intersection += r * q
            union += r + q - r * q
        each.append(1 - intersection / union)
    return np.mean(each)


def test_reference(rng):
    p, y = rng.dirichlet(np.ones(4), size=(3, 5, 2)), rng.integers(0, 4, (3, 5, 2))
    each = as_numpy(losses.Jaccard(0.3, reduction=None)(y, p.astype("float32")))
    expected = [reference(a.reshape(-1, 4), b.ravel(), 0.3) for a, b in zip(p, y, strict=True)]
    np.testing.assert_allclose(each, expected, rtol=1e-5)


def test_golden():
    peer = golden("pytorch_optimizer_jaccard")
    settings = {"epsilon": float(peer["smooth"]), "from_logits": True}
    each = losses.Jaccard(**settings, reduction=None)(peer["labels"], peer["scores"])
    np.testing.assert_allclose(as_numpy(each), peer["loss"], rtol=1e-5)
    total = losses.Jaccard(**settings, reduction="sum")
    _, (gradient,) = value_and_gradients(lambda s: total(peer["labels"], s), [peer["scores"]])
    np.testing.assert_allclose(gradient, peer["gradient"], rtol=1e-4, atol=1e-6)


def test_an_image_without_the_class_learns_to_leave_it_out():
    s, y = np.full((1, 20, 1), -2.0, "float32"), np.zeros((1, 20, 1))
    loss = losses.Jaccard(from_logits=True)
    value, (gradient,) = value_and_gradients(lambda s: loss(y, s), [s])
    assert 0 < value < 1
    assert np.all(gradient > 1e-3)
    assert float(loss(y, s - 100)) < 1e-6


def test_overlapping_masks(rng):
    y, p = rng.integers(0, 2, (2, 6, 3)), rng.uniform(size=(2, 6, 3)).astype("float32")
    loss = losses.Jaccard()
    each = [float(loss(y[..., c], p[..., c : c + 1])) for c in range(3)]
    np.testing.assert_allclose(float(loss(y, p)), np.mean(each), rtol=1e-5)
