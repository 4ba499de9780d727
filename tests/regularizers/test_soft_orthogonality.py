import numpy as np
import pytest
from keras import ops

from kcatalog import regularizers
from kcatalog.conformance.backend import as_numpy, value_and_gradients


def reference(w, factor):
    """Bansal et al., one pair of units (or of inputs, where these are fewer) at a time."""
    W = w.astype("float64").reshape(-1, w.shape[-1])
    vectors = W.T if W.shape[1] <= W.shape[0] else W
    total = 0.0
    for i, a in enumerate(vectors):
        for j, b in enumerate(vectors):
            total += (sum(a * b) - (i == j)) ** 2
    return factor * total


@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (2, 2, 3, 5), (1, 1, 3, 7)])
def test_reference(rng, shape):
    w = rng.normal(size=shape).astype("float32")
    penalty = as_numpy(regularizers.SoftOrthogonality(0.3)(w))
    np.testing.assert_allclose(penalty, reference(w, 0.3), rtol=1e-4)


@pytest.mark.parametrize("shape", [(6, 3), (3, 6)])
def test_orthonormal_kernels_pay_nothing(rng, shape):
    q, _ = np.linalg.qr(rng.normal(size=(6, 3)))
    w = q.reshape(6, 3) if shape == (6, 3) else q.T
    value, (gradient,) = value_and_gradients(
        regularizers.SoftOrthogonality(1.0), [w.astype("float32")]
    )
    np.testing.assert_allclose(value, 0, atol=1e-10)
    np.testing.assert_allclose(gradient, 0, atol=1e-5)


def test_gradient_is_the_papers(rng):
    W = rng.normal(size=(5, 3)).astype("float32")
    _, (gradient,) = value_and_gradients(regularizers.SoftOrthogonality(0.5), [W])
    np.testing.assert_allclose(gradient, 2 * W @ (W.T @ W - np.eye(3)), rtol=1e-4, atol=1e-5)


def test_not_for_biases():
    with pytest.raises(ValueError, match="Not for biases"):
        regularizers.SoftOrthogonality()(ops.ones((3,)))
