import numpy as np
import pytest

from kcatalog import metrics
from tests.golden.load import golden
from tests.metrics.retrieval import collapsed, differences_from_reference, streamed


def test_reference(rng):
    differences = differences_from_reference(
        "ndcg_at_k", lambda distance: metrics.NDCG(4, distance=distance, capacity=40), rng, 4
    )
    assert differences == pytest.approx([0, 0], abs=1e-6)


@pytest.mark.parametrize("k", [3, 10])
def test_golden(k):
    peer = golden("sklearn_ndcg")
    metric = metrics.NDCG(k, distance="euclidean", capacity=32)
    assert streamed(metric, peer["x"], peer["labels"]) == pytest.approx(float(peer[f"binary_{k}"]))


def test_one_positive_of_many_is_not_enough():
    """TensorFlow Similarity gives 1 here: it compares with the best order of what was found."""
    x = np.array([[0.0], [1.0], [-1.1], [9.0]], "float32")
    alone = np.array([1.0, 0.0, 0.0, 0.0], "float32")
    metric = metrics.NDCG(2, distance="euclidean", capacity=4)
    value = streamed(metric, x, np.array([7, 7, 8, 7]), alone)
    assert value == pytest.approx(1 / (1 + 1 / np.log2(3)))


def test_collapse_scores_nothing():
    assert collapsed(metrics.NDCG(capacity=32)) == 0
