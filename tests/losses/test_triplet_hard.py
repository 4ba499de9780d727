import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden
from tests.losses.triplets import distance, peer_rule

DISTANCES = {"L2": "euclidean", "squared-L2": "squared_euclidean", "angular": "cosine"}


def reference(x, labels, margin, name, soft, positives):
    """Equation 5 of Hermans et al., one anchor at a time; None where there is no triplet."""
    pick = max if positives == "hardest" else min
    for a in range(len(x)):
        others = [i for i in range(len(x)) if i != a]
        positives = [distance(x[a], x[i], name) for i in others if labels[i] == labels[a]]
        negatives = [distance(x[a], x[i], name) for i in others if labels[i] != labels[a]]
        if not positives or not negatives:
            yield None
            continue
        violation = pick(positives) - min(negatives)
        yield np.log(1 + np.exp(violation)) if soft else max(0.0, margin + violation)


@pytest.mark.parametrize("positives", ["hardest", "easiest"])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("name", DISTANCES.values())
def test_reference(rng, name, soft, positives):
    x, labels = rng.normal(size=(14, 6)).astype("float32"), np.arange(14) // 2 % 5
    labels[-1] = 77  # alone of its class
    each = list(reference(x.astype("float64"), labels, 0.7, name, soft, positives))
    there = [value for value in each if value is not None]
    loss = losses.TripletHard(0.7, soft, positives, name, reduction=None)
    expected = [0.0 if value is None else value * 14 / len(there) for value in each]
    np.testing.assert_allclose(as_numpy(loss(labels, x)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("d", range(3))
def test_golden_tfa(d, soft):
    peer = golden("tfa_triplet_hard")
    name = DISTANCES[str(peer["distance"][d])]
    loss = losses.TripletHard(float(peer["margin"]), soft=soft, distance=name)
    value, (gradient,) = value_and_gradients(lambda x: loss(peer["labels"], x), [peer["x"]])
    np.testing.assert_allclose(value, peer["value"][d, int(soft)], rtol=1e-5)
    np.testing.assert_allclose(gradient, peer["gradient"][d, int(soft)], rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize(("rule", "positives"), [("hard", "hardest"), ("easy_positive", "easiest")])
@pytest.mark.parametrize("d", range(3))
def test_golden_pytorch_metric_learning(d, rule, positives):
    margin, options, labels, x, value, gradient = peer_rule(d, rule)
    loss = losses.TripletHard(margin, positives=positives, **options)
    ours, (slope,) = value_and_gradients(lambda x: loss(labels, x), [x])
    np.testing.assert_allclose(ours, value, rtol=1e-5)
    np.testing.assert_allclose(slope, gradient, rtol=1e-4, atol=2e-6)


def test_collapse_is_worth_the_margin():
    x, labels = np.ones((6, 3), "float32"), np.arange(6) % 2
    assert float(losses.TripletHard(margin=0.5)(labels, x)) == 0.5
    np.testing.assert_allclose(float(losses.TripletHard(soft=True)(labels, x)), np.log(2), 1e-6)


@pytest.mark.parametrize("labels", [[3], [3, 3, 3], [1, 2, 3]])
def test_nothing_to_learn(rng, labels):
    x = rng.normal(size=(len(labels), 2)).astype("float32")
    loss = losses.TripletHard(soft=True)
    value, (gradient,) = value_and_gradients(lambda x: loss(np.array(labels), x), [x])
    assert value == 0
    assert np.all(gradient == 0)
