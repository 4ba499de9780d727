import numpy as np
import pytest

from kcatalog import metrics
from tests.metrics.retrieval import collapsed, differences_from_reference, peers_score, streamed
from tests.ops.test_retrieval import relevances


def test_reference(rng):
    differences = differences_from_reference(
        "r_precision", lambda distance: metrics.RPrecision(12, distance=distance, capacity=40), rng
    )
    assert differences == pytest.approx([0, 0], abs=1e-6)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_golden(distance):
    value, x, labels = peers_score("r_precision", distance)
    metric = metrics.RPrecision(distance=distance, capacity=24)
    assert streamed(metric, x, labels) == pytest.approx(value)


def test_larger_classes_are_scored_on_the_nearest(rng):
    x, labels = rng.normal(size=(32, 4)).astype("float32"), rng.integers(0, 3, 32)
    metric = metrics.RPrecision(max_neighbours=4, distance="euclidean", capacity=40)
    expected = [sum(r[:4]) / 4 for r in relevances(x, labels, "euclidean")]
    assert streamed(metric, x, labels) == pytest.approx(np.mean(expected))


def test_collapse_scores_nothing():
    assert collapsed(metrics.RPrecision(capacity=32)) == 0
