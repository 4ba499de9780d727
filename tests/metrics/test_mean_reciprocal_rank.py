import numpy as np
import pytest

from kcatalog import metrics
from tests.metrics.retrieval import collapsed, differences_from_reference, peers_score, streamed
from tests.ops.test_retrieval import relevances


def test_reference(rng):
    differences = differences_from_reference(
        "mean_reciprocal_rank",
        lambda distance: metrics.MeanReciprocalRank(distance=distance, capacity=40),
        rng,
    )
    assert differences == pytest.approx([0, 0], abs=1e-6)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_golden(distance):
    value, x, labels = peers_score("mean_reciprocal_rank", distance)
    metric = metrics.MeanReciprocalRank(distance=distance, capacity=24)
    assert streamed(metric, x, labels) == pytest.approx(value)


def test_beyond_k_nothing_counts(rng):
    x, labels = rng.normal(size=(32, 4)).astype("float32"), np.arange(32) % 11
    metric = metrics.MeanReciprocalRank(3, distance="euclidean", capacity=40)
    ranks = [r.index(1) + 1 for r in relevances(x, labels, "euclidean")]
    assert max(ranks) > 3
    expected = np.mean([1 / rank if rank <= 3 else 0 for rank in ranks])
    assert streamed(metric, x, labels) == pytest.approx(expected)


def test_collapse_ranks_behind_all_negatives():
    assert collapsed(metrics.MeanReciprocalRank(capacity=32)) == pytest.approx(1 / 17)
