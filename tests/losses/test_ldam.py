import keras
import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden

LDAM = losses.LDAM
COUNTS = [5000, 400, 30, 2]


def reference(s, y, counts=COUNTS, max_margin=0.5, scale=30.0, label_smoothing=0.0):
    """Equation 13 of Cao et al., C chosen by the rarest class, one sample at a time."""
    C = max_margin * min(counts) ** 0.25
    each = []
    for row, label in zip(s.astype("float64"), y, strict=True):
        z = [scale * (v - (c == label) * C / counts[c] ** 0.25) for c, v in enumerate(row)]
        total = 0.0
        for c, z_c in enumerate(z):
            q = (1 - label_smoothing) * (c == label) + label_smoothing / len(z)
            total -= q * (z_c - np.log(sum(np.exp(v) for v in z)))
        each.append(total)
    return each


@pytest.mark.parametrize("settings", [{}, {"max_margin": 0.9, "scale": 2, "label_smoothing": 0.2}])
@pytest.mark.parametrize("from_logits", [True, False])
def test_reference(rng, settings, from_logits):
    s, y = rng.uniform(-1, 1, size=(6, 4)).astype("float32"), rng.integers(0, 4, 6)
    loss = LDAM(COUNTS, **settings, from_logits=from_logits, reduction=None)
    each = as_numpy(loss(y, s if from_logits else np.exp(s)))
    np.testing.assert_allclose(each, reference(s, y, **settings), rtol=1e-4, atol=1e-5)


def test_golden():
    peer = golden("pytorch_optimizer_ldam")
    for i, (max_margin, scale) in enumerate(peer["settings"]):
        loss = LDAM(peer["counts"].tolist(), max_margin, scale, from_logits=True)
        value, (gradient,) = value_and_gradients(
            lambda s, loss=loss: loss(peer["labels"], s), [peer["scores"]]
        )
        np.testing.assert_allclose(value, peer["loss"][i], rtol=1e-5)
        np.testing.assert_allclose(gradient, peer["gradient"][i], rtol=1e-4, atol=1e-6)


def test_without_margin_it_is_crossentropy_along_any_axis(rng):
    s, y = rng.normal(size=(2, 4, 3)).astype("float32"), rng.integers(0, 4, (2, 3))
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None)
    ours = LDAM(COUNTS, 0, 2.0, from_logits=True, axis=1, reduction=None)
    expected = as_numpy(theirs(y, np.moveaxis(2 * s, 1, -1)))
    np.testing.assert_allclose(as_numpy(ours(y, s)), expected, rtol=1e-5, atol=1e-6)


def test_counts_must_fit_the_classes():
    with pytest.raises(ValueError, match="LDAM: `counts` must be a list of 3, one for each class"):
        LDAM([1, 2])(np.array([0]), np.ones((1, 3), "float32"))
