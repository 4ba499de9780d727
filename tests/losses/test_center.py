import numpy as np

from kcatalog import losses
from kcatalog.conformance.backend import value_and_gradients
from tests.losses.prototypes import through_prototypes


def test_reference(rng):
    """Equations 2 and 3 of Wen et al.; the centers' gradient is that of the same equation."""
    x, c = rng.normal(size=(7, 4)).astype("float32"), rng.normal(size=(5, 4)).astype("float32")
    y = rng.integers(0, 5, 7)
    value, dx, dc = 0.0, np.zeros_like(x), np.zeros_like(c)
    for i, label in enumerate(y):
        for f in range(4):
            away = x[i, f] - c[label, f]
            value += away**2 / 2 / len(y)
            dx[i, f] += away / len(y)
            dc[label, f] -= away / len(y)
    got = through_prototypes(losses.Center(), y, x, c, similarity="squared_euclidean")
    for ours, wanted in zip((got[0], *got[1]), (value, dx, dc), strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-5, atol=1e-6)


def test_on_its_center_a_sample_loses_nothing(rng):
    c = rng.normal(size=(5, 4)).astype("float32")
    y = np.array([3, 3, 1])
    value, gradients = through_prototypes(
        losses.Center(), y, c[y], c, similarity="squared_euclidean"
    )
    assert abs(value) < 1e-6
    for gradient in gradients:
        np.testing.assert_allclose(gradient, 0, atol=1e-6)


def test_a_center_beyond_float16_does_not_matter_to_others():
    s = np.array([[-2.0, -np.inf]], "float32")
    value, (gradient,) = value_and_gradients(lambda s: losses.Center()(np.array([0]), s), [s])
    assert value == 1
    np.testing.assert_array_equal(gradient, [[-0.5, 0]])
