import numpy as np
import pytest
from sklearn.metrics import matthews_corrcoef

from kcatalog import metrics
from kcatalog.conformance.metrics import result_of
from tests.golden.load import golden


def reference(y, p, classes, w):
    """Gorodkin's covariances of one-hot columns, sample by sample."""

    def covariance(one, other):
        total = 0.0
        for k in range(classes):
            mean_one = sum(c for a, c in zip(one, w, strict=True) if a == k) / sum(w)
            mean_other = sum(c for b, c in zip(other, w, strict=True) if b == k) / sum(w)
            for a, b, c in zip(one, other, w, strict=True):
                total += c * ((a == k) - mean_one) * ((b == k) - mean_other)
        return total

    return covariance(y, p) / (covariance(y, y) * covariance(p, p)) ** 0.5


@pytest.mark.parametrize("classes", [2, 5])
def test_reference(rng, classes):
    y, scores = rng.integers(0, classes, 30), rng.normal(size=(30, classes)).astype("float32")
    w, p = rng.uniform(size=30).astype("float32"), scores.argmax(-1)
    value = result_of(metrics.MatthewsCorrelation(classes), y, scores, sample_weight=w)
    assert value == pytest.approx(reference(y, p, classes, w), abs=1e-6)
    assert value == pytest.approx(matthews_corrcoef(y, p, sample_weight=w), abs=1e-6)


def test_golden():
    peer = golden("tfa_metrics")
    for name, w in (("matthews", None), ("matthews_weighted", peer["weights"])):
        metric = metrics.MatthewsCorrelation(4)
        value = result_of(metric, peer["labels"], peer["scores"], sample_weight=w)
        assert value == pytest.approx(peer[name], rel=1e-5)


def test_a_rare_class_in_a_large_set():
    y, p = np.zeros(200_000, "int32"), np.zeros(200_000, "float32")
    y[:4], p[2:5] = 1, 1
    value = result_of(metrics.MatthewsCorrelation(2), y, p)
    assert value == pytest.approx(matthews_corrcoef(y, p), rel=1e-5)


@pytest.mark.parametrize("y", [[0, 0, 0, 0], [0, 1, 1, 2]])
def test_one_class_predicted_is_no_correlation(y):
    scores = np.eye(3, dtype="float32")[[1, 1, 1, 1]]
    assert result_of(metrics.MatthewsCorrelation(3), np.array(y), scores) == 0
