import numpy as np

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden


def reference(s, y):
    """Zhang's two cases."""
    z = (s.astype("float64") * y).ravel()
    return np.reshape([max(0.0, 1 - v) ** 2 if v >= -1 else -4 * v for v in z], s.shape)


def test_reference(rng):
    s, y = 2 * rng.normal(size=(40, 3)).astype("float32"), 2 * rng.integers(0, 2, (40, 3)) - 1
    each = as_numpy(losses.ModifiedHuber(reduction=None)(y, s))
    np.testing.assert_allclose(each, reference(s, y).mean(axis=-1), rtol=1e-5, atol=1e-6)


def test_golden():
    peer = golden("sklearn_modified_huber")
    each = losses.ModifiedHuber(reduction=None)(peer["signs"], peer["scores"])
    np.testing.assert_allclose(as_numpy(each), peer["loss"], rtol=1e-5, atol=1e-6)
    total = losses.ModifiedHuber(reduction="sum")
    _, (gradient,) = value_and_gradients(lambda s: total(peer["signs"], s), [peer["scores"]])
    np.testing.assert_allclose(gradient, peer["gradient"], rtol=1e-5, atol=1e-5)


def test_scores_mean_probabilities():
    """The best score is 2 · 0.7 - 1 where 7 of 10 are positive."""
    scores = np.linspace(-1, 1, 201).astype("float32")
    y = np.repeat([1, 0], [7, 3])
    risk = [float(losses.ModifiedHuber()(y, np.full(10, s, "float32"))) for s in scores[::5]]
    np.testing.assert_allclose(scores[::5][np.argmin(risk)], 0.4, atol=1e-5)
