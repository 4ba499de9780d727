import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients


def reference(a, b, temperature, bias, normalize):
    """Algorithm 1 of Zhai et al., one pair at a time; the sum of each row."""
    a, b = np.asarray(a, "float64"), np.asarray(b, "float64")
    each = []
    for i in range(len(a)):
        total = 0.0
        for j in range(len(b)):
            s = a[i] @ b[j]
            if normalize:
                s /= np.linalg.norm(a[i]) * np.linalg.norm(b[j])
            z = 1 if i == j else -1
            total -= np.log(1 / (1 + np.exp(-z * (s / temperature + bias))))
        each.append(total)
    return each


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize(("temperature", "bias"), [(0.1, -10.0), (1.0, 2.0)])
def test_reference(rng, normalize, temperature, bias):
    a, b = rng.normal(size=(2, 7, 4)).astype("float32")
    loss = losses.SigLIP(temperature, bias, normalize, reduction=None)
    expected = reference(a, b, temperature, bias, normalize)
    np.testing.assert_allclose(as_numpy(loss(a, b)), expected, rtol=1e-4)


def test_rows_with_one_id_are_not_each_others_negatives(rng):
    """A copy of the caption answers no question; two sets without copies share no term."""
    a, b = rng.normal(size=(2, 5, 4)).astype("float32")
    ids = np.array([7, 2**32 + 7, 7, 0, 1])
    each = as_numpy(losses.SigLIP(ids=True, reduction=None)(ids, np.stack([a, b], axis=1)))
    for i in range(5):
        kept = [i, *(j for j in range(5) if ids[j] != ids[i])]
        expected = reference(a[[i]].repeat(len(kept), 0), b[kept], 0.1, -10.0, True)[0]
        np.testing.assert_allclose(each[i], expected, rtol=1e-4)


def test_temperature_and_bias_learned_by_the_model(rng):
    """Scale one view, append the bias to it and 1 to the other, as the docstring says."""
    a, b = rng.normal(size=(2, 7, 4))
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    ones = np.ones((7, 1))
    views = np.hstack([5 * a, -3 * ones]), np.hstack([b, ones])
    ours = losses.SigLIP(temperature=1.0, bias=0.0, normalize=False)(*views)
    theirs = losses.SigLIP(temperature=0.2, bias=-3.0)(a, b)
    np.testing.assert_allclose(as_numpy(ours), as_numpy(theirs), rtol=1e-5)


def test_saturated(rng):
    a = (1e4 * rng.normal(size=(5, 4))).astype("float32")
    loss = losses.SigLIP(temperature=0.01, normalize=False)
    value, gradients = value_and_gradients(loss, [a, -a])
    assert np.isfinite(value)
    assert np.all(np.isfinite(gradients))
    assert value > 1e8  # hopeless pairs are charged in full
