import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden


def cosine(a, b):
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


def reference(x, labels, temperature):
    """One positive pair at a time; the sum of each anchor, and the number of pairs."""
    x = np.asarray(x, "float64")
    sums, pairs = np.zeros(len(x)), 0
    for a in range(len(x)):
        negatives = [
            np.exp(cosine(x[a], x[n]) / temperature)
            for n in range(len(x))
            if labels[n] != labels[a]
        ]
        for p in range(len(x)):
            if p != a and labels[p] == labels[a]:
                positive = np.exp(cosine(x[a], x[p]) / temperature)
                sums[a] -= np.log(positive / (positive + sum(negatives)))
                pairs += 1
    return sums, pairs


@pytest.mark.parametrize("classes", [2, 5, 20])
@pytest.mark.parametrize("temperature", [0.05, 1])
def test_reference(rng, classes, temperature):
    x, labels = rng.normal(size=(16, 6)).astype("float32"), rng.integers(0, classes, 16)
    sums, pairs = reference(x, labels, temperature)
    each = as_numpy(losses.NTXent(temperature, reduction=None)(labels, x))
    np.testing.assert_allclose(each, sums * 16 / max(pairs, 1), rtol=1e-4, atol=1e-5)
    mean = as_numpy(losses.NTXent(temperature)(labels, x))
    np.testing.assert_allclose(mean, sum(sums) / max(pairs, 1), rtol=1e-4)


def expect(loss, labels, x, value, gradient):
    ours, (slope,) = value_and_gradients(lambda x: loss(labels, x), [x])
    np.testing.assert_allclose(ours, value, rtol=1e-5)
    np.testing.assert_allclose(slope, gradient, rtol=1e-4, atol=2e-6)


def test_golden_pytorch_metric_learning():
    peer = golden("pml_nt_xent")
    for t, temperature in enumerate(peer["temperature"]):
        for i, (x, y) in enumerate(zip(peer["x"], peer["labels"], strict=True)):
            results = peer["value"][t, i], peer["gradient"][t, i]
            expect(losses.NTXent(float(temperature)), y, x, *results)


def test_golden_optax():
    peer = golden("optax_ntxent")
    for t, temperature in enumerate(peer["temperature"]):
        results = peer["value"][t], peer["gradient"][t]
        expect(losses.NTXent(float(temperature)), peer["labels"], peer["x"], *results)


@pytest.mark.parametrize("labels", [[3], [3, 3, 3], [1, 2, 3]])
def test_nothing_to_learn(rng, labels):
    x = rng.normal(size=(len(labels), 2)).astype("float32")
    value, (gradient,) = value_and_gradients(lambda x: losses.NTXent()(np.array(labels), x), [x])
    assert value == 0
    assert np.all(gradient == 0)


def test_a_hopeless_pair_keeps_its_gradient():
    x = np.array([[1, 0], [0, 1], [1, 0.1], [0.1, 1]], "float32")  # negatives side by side
    loss = losses.NTXent(temperature=0.005)
    value, (gradient,) = value_and_gradients(lambda x: loss(np.array([0, 0, 1, 1]), x), [x])
    assert 150 < value < 200  # 1 / temperature; past 87 the peer's loss is flat
    assert np.all(np.linalg.norm(gradient, axis=1) > 10)
