import numpy as np
import pytest

from kcatalog import metrics
from kcatalog.conformance.backend import as_numpy
from tests.golden.load import golden


def reference(y, s, k, gain):
    """One list: the mean gain over all orders its scores allow, over that of the best order."""
    real = [i for i in range(len(y)) if y[i] >= 0]
    g = {i: float(y[i]) if gain == "linear" else 2.0 ** y[i] - 1 for i in real}
    discount = [
        1 / np.log2(1 + rank) if rank <= (k or len(y)) else 0 for rank in range(1, 1 + len(y))
    ]
    dcg = 0.0
    for i in real:
        before = sum(s[j] > s[i] for j in real)
        equal = sum(s[j] == s[i] for j in real)
        dcg += g[i] * np.mean(discount[before : before + equal])
    best = sum(
        value * d for value, d in zip(sorted(g.values(), reverse=True), discount, strict=False)
    )
    return dcg / best if best else None


@pytest.mark.parametrize(("k", "gain"), [(None, "linear"), (3, "exponential")])
def test_reference(rng, k, gain):
    y = rng.integers(-1, 4, (12, 9)).astype("float32")
    y[5] = np.minimum(y[5], 0)  # nothing relevant
    s = rng.integers(0, 6, (12, 9)).astype("float32")  # ties
    weights = rng.uniform(size=12).astype("float32")
    each = [reference(*lists, k, gain) for lists in zip(y, s, strict=True)]
    relevant = [i for i in range(12) if each[i] is not None]
    assert len(relevant) < 12
    expected = np.average([each[i] for i in relevant], weights=weights[relevant])
    metric = metrics.RankingNDCG(k, gain)
    for rows in (slice(0, 6), slice(6, 12)):
        metric.update_state(y[rows], s[rows], sample_weight=weights[rows])
    assert float(as_numpy(metric.result())) == pytest.approx(expected)


@pytest.mark.parametrize("k", [None, 3])
def test_golden(k):
    peer = golden("sklearn_ndcg")
    value = metrics.RankingNDCG(k)(peer["relevance"], peer["scores"])
    assert float(as_numpy(value)) == pytest.approx(float(peer[f"graded_{k}"]))


def test_long_lists_keep_their_digits(rng):
    y, s = rng.integers(0, 5, (1, 600)), rng.normal(size=(1, 600))
    expected = reference(y[0], s[0].astype("float32"), None, "linear")
    assert float(as_numpy(metrics.RankingNDCG()(y, s))) == pytest.approx(expected, rel=1e-5)


def test_only_lists():
    with pytest.raises(ValueError, match=r"RankingNDCG: `y_pred` must be scores of lists"):
        metrics.RankingNDCG().update_state(np.ones(3), np.ones(3))
