import numpy as np
import pytest

from kcatalog import metrics
from kcatalog.conformance.metrics import result_of


def reference(y, p, bins, norm, w):
    """Guo et al.'s bins, one after the other."""
    gaps, shares = [], []
    for m in range(1, bins + 1):
        members = [i for i in range(len(y)) if (m - 1) / bins < max(p[i]) <= m / bins]
        if members:
            size = sum(w[i] for i in members)
            accuracy = sum(w[i] * (np.argmax(p[i]) == y[i]) for i in members) / size
            confidence = sum(w[i] * max(p[i]) for i in members) / size
            gaps.append(abs(accuracy - confidence))
            shares.append(size / sum(w))
    gaps, shares = np.array(gaps), np.array(shares)
    sums = {"l1": (shares * gaps).sum(), "l2": (shares * gaps**2).sum() ** 0.5}
    return {**sums, "max": gaps.max()}[norm]


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
@pytest.mark.parametrize("bins", [1, 7, 15])
def test_reference(rng, norm, bins):
    logits, y = 2 * rng.normal(size=(60, 3)), rng.integers(0, 3, 60)
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    w = rng.uniform(0.5, 1, size=60).astype("float32")
    expected = reference(y, p, bins, norm, w)
    metric = metrics.ExpectedCalibrationError(bins, norm)
    assert result_of(metric, y, p.astype("float32"), sample_weight=w) == pytest.approx(
        expected, abs=1e-6
    )
    metric = metrics.ExpectedCalibrationError(bins, norm, from_logits=True)
    assert result_of(metric, y, logits.astype("float32"), sample_weight=w) == pytest.approx(
        expected, abs=1e-6
    )


def test_binary_is_the_case_of_two_classes(rng):
    y, logits = rng.integers(0, 2, 40), rng.normal(size=40).astype("float32")
    p = 1 / (1 + np.exp(-logits))
    expected = reference(y, np.stack([1 - p, p], -1), 15, "l1", np.ones(40))
    for value in (
        result_of(metrics.ExpectedCalibrationError(), y, p),
        result_of(metrics.ExpectedCalibrationError(), y[:, None], p[:, None]),
        result_of(metrics.ExpectedCalibrationError(from_logits=True), y, logits),
    ):
        assert value == pytest.approx(expected, abs=1e-6)


def test_a_bin_holds_its_upper_end():
    p = np.array([[0.75, 0.25], [0.5, 0.5], [1.0, 0.0]], "float32")
    metric = metrics.ExpectedCalibrationError(4, "max")
    result_of(metric, np.zeros(3), p)
    np.testing.assert_array_equal(metric._size, [0, 1, 1, 1])


def test_a_calibrated_model_scores_zero():
    p = np.tile(np.array([[0.75, 0.25]], "float32"), (8, 1))
    metric = metrics.ExpectedCalibrationError()
    assert result_of(metric, np.array([0, 0, 0, 1] * 2), p) == pytest.approx(0, abs=1e-6)
