import numpy as np
import pytest
from scipy.stats import kendalltau

from kcatalog import metrics
from kcatalog.conformance.metrics import result_of
from tests.golden.load import golden
from tests.ops.test_ranks import reference_pairs


def reference(x, y, variant):
    """Kendall's and Stuart's formulas over all pairs."""
    P_less_Q, D_x, D_y = reference_pairs(x, y, np.ones(len(x)))
    if variant == "b":
        return P_less_Q / (D_x * D_y) ** 0.5
    m = min(len(set(x)), len(set(y)))
    return 2 * P_less_Q / (len(x) ** 2 * (m - 1) / m)


@pytest.mark.parametrize("variant", ["b", "c"])
@pytest.mark.parametrize("values", [4, 1000])  # with ties and almost without
def test_reference(rng, variant, values):
    x = rng.integers(0, values, 90).astype("float32")
    y = np.round(x / 2 + values * rng.normal(size=90)).astype("float32")
    batches = [v[i : i + 30] for i in (0, 30, 60) for v in (x, y)]
    value = result_of(metrics.KendallTau(variant, capacity=100), *batches)
    assert value == pytest.approx(reference(x, y, variant), abs=1e-6)
    assert value == pytest.approx(kendalltau(x, y, variant=variant)[0], abs=1e-6)


def test_golden():
    peer = golden("tfa_metrics")
    for variant, name in (("b", "KendallsTauB"), ("c", "KendallsTauC")):
        value = result_of(metrics.KendallTau(variant, 64), peer["grades"], peer["guesses"])
        assert value == pytest.approx(peer[name], rel=1e-5)


@pytest.mark.parametrize("variant", ["b", "c"])
def test_weights_count_copies(rng, variant):
    x, y = rng.integers(0, 9, (2, 20)).astype("float32")
    w = rng.integers(0, 4, 20)
    value = result_of(metrics.KendallTau(variant, 32), x, y, sample_weight=w / 7)
    expected = kendalltau(x.repeat(w), y.repeat(w), variant=variant)[0]
    assert value == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
def test_large_numbers_of_samples(rng):
    x = rng.normal(size=4096).astype("float32")
    y = np.round(x + rng.normal(size=4096), 1).astype("float32")
    assert result_of(metrics.KendallTau(), x, y) == pytest.approx(kendalltau(x, y)[0], abs=1e-6)


@pytest.mark.parametrize("variant", ["b", "c"])
def test_no_order_is_no_correlation(rng, variant):
    x, w = rng.normal(size=30).astype("float32"), rng.uniform(size=30)
    for a, b in ((x, 0 * x), (0 * x, x), (0 * x, 0 * x)):
        value = result_of(metrics.KendallTau(variant, 64), a, b, sample_weight=w)
        assert value == pytest.approx(0, abs=1e-6)
