import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden
from tests.losses.test_ntxent import cosine, expect


def reference(x, labels, temperature):
    """Equation 2 of Khosla et al., one anchor at a time; NaN for an anchor without a positive."""
    x = np.asarray(x, "float64")
    each = np.full(len(x), np.nan)
    for i in range(len(x)):
        others = [a for a in range(len(x)) if a != i]
        positives = [p for p in others if labels[p] == labels[i]]
        if not positives:
            continue
        total = sum(np.exp(cosine(x[i], x[a]) / temperature) for a in others)
        terms = [np.log(np.exp(cosine(x[i], x[p]) / temperature) / total) for p in positives]
        each[i] = -sum(terms) / len(positives)
    return each


@pytest.mark.parametrize("classes", [1, 2, 5, 10])
@pytest.mark.parametrize("temperature", [0.05, 1])
def test_reference(rng, classes, temperature):
    x, labels = rng.normal(size=(16, 6)).astype("float32"), rng.integers(0, classes, 16)
    expected = reference(x, labels, temperature)
    loss = losses.SupervisedContrastive(temperature)
    np.testing.assert_allclose(as_numpy(loss(labels, x)), np.nanmean(expected), rtol=1e-4)
    each = as_numpy(losses.SupervisedContrastive(temperature, reduction=None)(labels, x))
    expected = np.nan_to_num(expected) * 16 / sum(~np.isnan(expected))
    np.testing.assert_allclose(each, expected, rtol=1e-4, atol=1e-5)


def test_golden():
    peer = golden("pml_sup_con")
    for t, temperature in enumerate(peer["temperature"]):
        for i, (x, y) in enumerate(zip(peer["x"], peer["labels"], strict=True)):
            results = peer["value"][t, i], peer["gradient"][t, i]
            expect(losses.SupervisedContrastive(float(temperature)), y, x, *results)


@pytest.mark.parametrize("labels", [[3], [1, 2, 3]])
def test_nothing_to_learn(rng, labels):
    x = rng.normal(size=(len(labels), 2)).astype("float32")
    loss = losses.SupervisedContrastive()
    value, (gradient,) = value_and_gradients(lambda x: loss(np.array(labels), x), [x])
    assert value == 0
    assert np.all(gradient == 0)


def test_of_one_class_it_evens_similarities_out():
    simplex = np.eye(4, dtype="float32") - 0.25  # all cosines alike: nothing left to even out
    loss = losses.SupervisedContrastive()
    value, (gradient,) = value_and_gradients(lambda x: loss(np.zeros(4), x), [simplex])
    np.testing.assert_allclose(value, np.log(3), rtol=1e-5)
    np.testing.assert_allclose(gradient, 0, atol=1e-5)


def test_with_one_positive_each_it_is_nt_xent(rng):
    x, labels = rng.normal(size=(12, 5)).astype("float32"), np.arange(12) % 6
    ours, theirs = losses.SupervisedContrastive(0.2), losses.NTXent(0.2)
    np.testing.assert_allclose(as_numpy(ours(labels, x)), as_numpy(theirs(labels, x)), rtol=1e-5)
