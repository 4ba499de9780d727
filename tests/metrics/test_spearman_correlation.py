import numpy as np
import pytest
from scipy.stats import spearmanr

from kcatalog import metrics
from kcatalog.conformance.metrics import result_of
from tests.golden.load import golden


def reference(x, y):
    """Ranks by counting, then Pearson's formula."""

    def ranks(v):
        return np.array([sum(b < a for b in v) + (sum(b == a for b in v) + 1) / 2 for a in v])

    r, s = ranks(x) - ranks(x).mean(), ranks(y) - ranks(y).mean()
    return (r @ s) / (r @ r * (s @ s)) ** 0.5


@pytest.mark.parametrize("values", [4, 1000])  # with ties and almost without
def test_reference(rng, values):
    x = rng.integers(0, values, 90).astype("float32")
    y = np.round(x / 2 + values * rng.normal(size=90)).astype("float32")
    batches = [v[i : i + 30] for i in (0, 30, 60) for v in (x, y)]
    value = result_of(metrics.SpearmanCorrelation(capacity=100), *batches)
    assert value == pytest.approx(reference(x, y), abs=1e-6)
    assert value == pytest.approx(spearmanr(x, y)[0], abs=1e-6)


def test_golden():
    peer = golden("tfa_metrics")
    value = result_of(metrics.SpearmanCorrelation(64), peer["grades"], peer["guesses"])
    assert value == pytest.approx(peer["SpearmansRank"], rel=1e-5)


def test_weights_count_copies(rng):
    x, y = rng.integers(0, 9, (2, 20)).astype("float32")
    w = rng.integers(0, 4, 20)
    metric = metrics.SpearmanCorrelation(capacity=32)
    value = result_of(metric, x, y, sample_weight=w / 7)
    assert value == pytest.approx(spearmanr(x.repeat(w), y.repeat(w))[0], abs=1e-6)


def test_large_numbers_of_samples_and_of_digits(rng):
    x = rng.normal(size=4096).astype("float32")
    y = (x + 1e-3 * rng.normal(size=4096)).astype("float32")
    value = result_of(metrics.SpearmanCorrelation(), x, y)
    assert value == pytest.approx(spearmanr(x, y)[0], abs=1e-6)
    assert result_of(metrics.SpearmanCorrelation(), x, -1e6 * x) == pytest.approx(-1)


def test_no_order_is_no_correlation(rng):
    x, w = rng.normal(size=30).astype("float32"), rng.uniform(size=30)
    for a, b in ((x, 0 * x), (0 * x, x), (0 * x, 0 * x)):
        assert result_of(metrics.SpearmanCorrelation(64), a, b, sample_weight=w) == 0


def test_beyond_capacity_the_first_samples_count(rng):
    x, y = rng.normal(size=(2, 30)).astype("float32")
    with pytest.warns(UserWarning, match="first 19 of 30 samples"):
        value = result_of(metrics.SpearmanCorrelation(19), x[:12], y[:12], x[12:], y[12:])
    assert value == pytest.approx(spearmanr(x[:19], y[:19])[0], abs=1e-6)


def test_several_outputs_are_refused():
    with pytest.raises(ValueError, match=r"`y_pred` must be one number .* metric of its own"):
        result_of(metrics.SpearmanCorrelation(), np.zeros(4), np.zeros((4, 2), "float32"))
