import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.losses.prototypes import check_golden, some_cosines


def reference(x, y, w, temperature, include_positive):
    """Algorithm 1 of Movshovitz-Attias et al.: squared distances of vectors of length 1."""
    each = []
    for sample, label in zip(x, y, strict=True):
        unit = sample / np.linalg.norm(sample)
        D = [sum((unit - proxy / np.linalg.norm(proxy)) ** 2) for proxy in w]
        others = [d for j, d in enumerate(D) if include_positive or j != label]
        total = sum(np.exp(-d / temperature) for d in others)
        each.append(-np.log(np.exp(-D[label] / temperature) / total))
    return each


@pytest.mark.parametrize("temperature", [1, 0.2])
@pytest.mark.parametrize("include_positive", [False, True])
def test_reference(rng, temperature, include_positive):
    x, w, y = rng.normal(size=(7, 4)), rng.normal(size=(5, 4)), rng.integers(0, 5, 7)
    cos = x @ w.T / np.outer(np.linalg.norm(x, axis=1), np.linalg.norm(w, axis=1))
    loss = losses.ProxyNCA(temperature, include_positive, reduction=None)
    np.testing.assert_allclose(
        as_numpy(loss(y, cos.astype("float32"))),
        reference(x, y, w, temperature, include_positive),
        rtol=1e-4,
        atol=1e-5,
    )


def test_golden():
    check_golden("proxy_nca", losses.ProxyNCA(temperature=0.5, include_positive=True))


def test_with_the_positive_it_is_normalized_softmax(rng):
    cos, y = some_cosines(rng, 7, 5)
    ours, other = losses.ProxyNCA(0.5, include_positive=True), losses.NormalizedSoftmax(0.25)
    np.testing.assert_allclose(as_numpy(ours(y, cos)), as_numpy(other(y, cos)), rtol=1e-5)


@pytest.mark.parametrize("include_positive", [False, True])
def test_a_single_class_loses_nothing(include_positive):
    loss = losses.ProxyNCA(include_positive=include_positive)
    value, (gradient,) = value_and_gradients(
        lambda s: loss([0, 0], s), [np.array([[0.3], [-0.4]], "float32")]
    )
    assert value == 0
    assert np.all(gradient == 0)
