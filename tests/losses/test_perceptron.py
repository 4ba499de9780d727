import numpy as np

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden


def reference(s, y):
    """Collins's score of the guess minus that of the truth, one sample at a time."""
    return [max(row) - row[label] for row, label in zip(s.astype("float64"), y, strict=True)]


def test_reference(rng):
    s, y = rng.normal(size=(20, 6)).astype("float32"), rng.integers(0, 6, 20)
    each = as_numpy(losses.Perceptron(reduction=None)(y, s))
    np.testing.assert_allclose(each, reference(s, y), rtol=1e-5, atol=1e-6)


def test_golden():
    peer = golden("optax_perceptron")
    for name, y in (("binary", peer["signs"]), ("multiclass", peer["labels"])):
        s = peer[f"{name}_scores"]
        each = losses.Perceptron(reduction=None)(y, s)
        np.testing.assert_allclose(as_numpy(each), peer[f"{name}_loss"], rtol=1e-5, atol=1e-6)
        total = losses.Perceptron(reduction="sum")
        _, (gradient,) = value_and_gradients(lambda s, y=y, f=total: f(y, s), [s])
        np.testing.assert_allclose(gradient, peer[f"{name}_gradient"], atol=1e-6)


def test_one_score_is_the_difference_of_two(rng):
    s, y = rng.normal(size=(8, 1)).astype("float32"), rng.integers(0, 2, 8)
    loss = losses.Perceptron(reduction=None)
    two = as_numpy(loss(y, np.concatenate([np.zeros_like(s), s], axis=-1)))
    for labels in (y, y[:, None], 2 * y - 1):
        for scores in (s, s[:, 0]):
            np.testing.assert_allclose(as_numpy(loss(labels, scores)), two, rtol=1e-6)


def test_gradient_is_the_perceptron_rule():
    s, y = np.array([[1.0, 3.0, 2.0], [4.0, 3.0, 2.0]], "float32"), np.array([2, 0])
    total = losses.Perceptron(reduction="sum")
    _, (gradient,) = value_and_gradients(lambda s: total(y, s), [s])
    np.testing.assert_array_equal(gradient, [[0, 1, -1], [0, 0, 0]])
