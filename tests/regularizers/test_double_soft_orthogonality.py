import numpy as np
import pytest
from keras import ops

from kcatalog import regularizers
from kcatalog.conformance.backend import as_numpy, value_and_gradients


def reference(w, factor):
    """Equation 5 of Bansal et al.: both products, in full."""
    W = w.astype("float64").reshape(-1, w.shape[-1])
    total = 0.0
    for vectors in (W, W.T):
        for i, a in enumerate(vectors):
            for j, b in enumerate(vectors):
                total += (sum(a * b) - (i == j)) ** 2
    return factor * total


@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (3, 3), (2, 2, 3, 5), (1, 1, 3, 7)])
def test_reference(rng, shape):
    w = rng.normal(size=shape).astype("float32")
    penalty = as_numpy(regularizers.DoubleSoftOrthogonality(0.3)(w))
    np.testing.assert_allclose(penalty, reference(w, 0.3), rtol=1e-4)


@pytest.mark.parametrize("shape", [(4, 3), (3, 4)])
def test_gradient_is_the_papers(rng, shape):
    W = rng.normal(size=shape).astype("float32")
    _, (gradient,) = value_and_gradients(regularizers.DoubleSoftOrthogonality(1.0), [W])
    expected = 4 * W @ (W.T @ W - np.eye(shape[1])) + 4 * (W @ W.T - np.eye(shape[0])) @ W
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-4)


def test_not_for_biases():
    with pytest.raises(ValueError, match="Not for biases"):
        regularizers.DoubleSoftOrthogonality()(ops.ones((3,)))
