import math

import numpy as np
import pytest

from kcatalog import metrics
from kcatalog.conformance.metrics import result_of
from tests.golden.load import golden
from tests.ops.test_text import ngrams_of, reference_matches


def reference(references, predictions, max_order):
    """Papineni et al.'s formula over a corpus of lists of tokens."""
    c, r, logs = sum(map(len, predictions)), 0, []
    for p, rs in zip(predictions, references, strict=True):
        r += min((abs(len(s) - len(p)), len(s)) for s in rs)[1]
    for n in range(1, max_order + 1):
        pairs = zip(predictions, references, strict=True)
        matches = sum(reference_matches(p, rs, n) for p, rs in pairs)
        logs.append(math.log(matches / sum(len(ngrams_of(p, n)) for p in predictions)))
    return min(1, math.exp(1 - r / c)) * math.exp(sum(logs) / max_order)


@pytest.mark.parametrize("max_order", [1, 3])
def test_reference(rng, max_order):
    r, p = rng.integers(0, 4, (20, 2, 12)), rng.integers(0, 4, (20, 9))
    lists = [[[t for t in s if t] for s in rs] for rs in r], [[t for t in s if t] for s in p]
    metric = metrics.BLEU(max_order, mask_token_id=0)
    value = result_of(metric, r[:10], p[:10], r[10:], p[10:])
    assert value == pytest.approx(reference(*lists, max_order), rel=1e-5)
    words = [[["w" + str(t) for t in s] for s in rs] for rs in lists[0]]
    metric = metrics.BLEU(max_order)
    metric.update_state(words, [["w" + str(t) for t in s] for s in lists[1]])
    assert float(metric.result()) == pytest.approx(float(value))


@pytest.mark.parametrize("smoothing", [None, "add_one", "exp"])
def test_golden(smoothing):
    peer = golden("text_metrics")
    for references in (1, 3):
        r, p = peer["references"].copy(), peer["predictions"]
        r[:, references:] = 0
        for size in (10, 1):
            metric = metrics.BLEU(4, smoothing, mask_token_id=0)
            value = result_of(metric, r, p, sample_weight=np.arange(10) < size)
            expected = peer[f"sacrebleu_{smoothing}_{references}_{size}"]
            assert value == pytest.approx(expected, rel=1e-5)


def test_a_weight_counts_copies(rng):
    r, p, w = rng.integers(0, 3, (6, 9)), rng.integers(0, 3, (6, 9)), np.array([0, 1, 2, 3, 1, 0])
    metric = metrics.BLEU(smoothing="exp")
    value = result_of(metric, r, p, sample_weight=w)
    assert value == result_of(metrics.BLEU(smoothing="exp"), r.repeat(w, 0), p.repeat(w, 0))


@pytest.mark.parametrize("smoothing", [None, "add_one", "exp"])
def test_nothing_in_common_or_nothing_at_all(smoothing):
    for prediction in ("x y z", "", "a"):
        value = float(metrics.BLEU(2, smoothing)(["a b c"], [prediction]))
        assert value == 0 or (smoothing == "add_one" and prediction == "a")
