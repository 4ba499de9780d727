import numpy as np
import pytest
from sklearn.metrics import hamming_loss

from kcatalog import metrics
from kcatalog.conformance.metrics import result_of
from tests.golden.load import golden


def reference(y, y_hat, w):
    """Wrong labels, counted one by one."""
    wrong = sum(
        c * (a != b)
        for row, row_hat, c in zip(y, y_hat, w, strict=True)
        for a, b in zip(row, row_hat, strict=True)
    )
    return wrong / (sum(w) * len(y[0]))


def test_reference(rng):
    y, scores = rng.integers(0, 2, (20, 5)), rng.uniform(size=(20, 5)).astype("float32")
    w = rng.uniform(size=20).astype("float32")
    value = result_of(metrics.Hamming(threshold=0.7), y, scores, sample_weight=w)
    assert value == pytest.approx(reference(y, scores > 0.7, w), abs=1e-6)
    assert value == pytest.approx(hamming_loss(y, scores > 0.7, sample_weight=w), abs=1e-6)


def test_reference_multiclass(rng):
    y, scores = rng.integers(0, 4, (6, 7)), rng.normal(size=(6, 7, 4)).astype("float32")
    w = rng.uniform(size=6).astype("float32")
    expected = reference(y, scores.argmax(-1), w)
    for targets in (y, np.eye(4)[y]):
        value = result_of(metrics.Hamming("multiclass"), targets, scores, sample_weight=w)
        assert value == pytest.approx(expected, abs=1e-6)


def test_golden():
    peer = golden("tfa_metrics")
    value = result_of(metrics.Hamming("multiclass"), peer["labels"], peer["scores"])
    assert value == pytest.approx(peer["hamming_multiclass"])
    value = result_of(metrics.Hamming(threshold=0.7), peer["several"], peer["scores"])
    assert value == pytest.approx(peer["hamming_multilabel"])


def test_a_weight_for_each_label():
    y_pred = np.array([[0.9, 0.9], [0.1, 0.1]], "float32")
    weights = np.array([[1.0, 0.0], [3.0, 0.0]])
    value = result_of(metrics.Hamming(), np.array([[1, 0], [1, 0]]), y_pred, sample_weight=weights)
    assert value == 0.75


def test_multiclass_needs_classes():
    with pytest.raises(ValueError, match='take mode="multilabel"'):
        result_of(metrics.Hamming("multiclass"), np.zeros(2), np.zeros((2, 1), "float32"))
