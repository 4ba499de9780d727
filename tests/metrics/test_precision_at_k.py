import pytest

from kcatalog import metrics
from tests.metrics.retrieval import collapsed, differences_from_reference, peers_score, streamed


def test_reference(rng):
    differences = differences_from_reference(
        "precision_at_k",
        lambda distance: metrics.PrecisionAtK(4, distance=distance, capacity=40),
        rng,
        4,
    )
    assert differences == pytest.approx([0, 0], abs=1e-6)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_golden(distance):
    value, x, labels = peers_score("precision_at_1", distance)
    metric = metrics.PrecisionAtK(1, distance=distance, capacity=24)
    assert streamed(metric, x, labels) == pytest.approx(value)


def test_collapse_scores_nothing():
    assert collapsed(metrics.PrecisionAtK(5, capacity=32)) == 0


def test_more_neighbours_than_samples(rng):
    x, labels = rng.normal(size=(6, 3)).astype("float32"), [0, 0, 1, 1, 2, 2]
    assert streamed(metrics.PrecisionAtK(50, capacity=8), x, labels) == pytest.approx(1 / 50)
