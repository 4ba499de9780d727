import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.losses.triplets import distance, peer_rule


def reference(x, labels, margin, name):
    """Equation 6 of Hermans et al., one triplet at a time, by anchor."""
    for a in range(len(x)):
        yield [
            max(0.0, margin + distance(x[a], x[p], name) - distance(x[a], x[n], name))
            for p in range(len(x))
            for n in range(len(x))
            if p != a and labels[p] == labels[a] and labels[n] != labels[a]
        ]


@pytest.mark.parametrize("mean_over", ["active", "all"])
@pytest.mark.parametrize("name", ["euclidean", "squared_euclidean", "cosine"])
def test_reference(rng, name, mean_over):
    x, labels = rng.normal(size=(14, 6)).astype("float32"), rng.integers(0, 4, 14)
    each = list(reference(x.astype("float64"), labels, 0.7, name))
    count = sum(sum(np.array(e) > 0) if mean_over == "active" else len(e) for e in each)
    loss = losses.TripletAll(0.7, mean_over, name, reduction=None)
    expected = [sum(e) * 14 / count for e in each]
    np.testing.assert_allclose(as_numpy(loss(labels, x)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("rule", "mean_over"), [("active", "active"), ("all", "all")])
@pytest.mark.parametrize("d", range(3))
def test_golden_pytorch_metric_learning(d, rule, mean_over):
    margin, options, labels, x, value, gradient = peer_rule(d, rule)
    loss = losses.TripletAll(margin, mean_over, **options)
    ours, (slope,) = value_and_gradients(lambda x: loss(labels, x), [x])
    np.testing.assert_allclose(ours, value, rtol=1e-5)
    np.testing.assert_allclose(slope, gradient, rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize("labels", [[3], [3, 3, 3], [1, 2, 3]])
def test_nothing_to_learn(rng, labels):
    x = rng.normal(size=(len(labels), 2)).astype("float32")
    loss = losses.TripletAll()
    value, (gradient,) = value_and_gradients(lambda x: loss(np.array(labels), x), [x])
    assert value == 0
    assert np.all(gradient == 0)
