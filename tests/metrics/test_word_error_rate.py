import numpy as np
import pytest

from kcatalog import metrics
from kcatalog.conformance.metrics import result_of
from tests.golden.load import golden
from tests.ops.test_text import reference_edits


def test_reference(rng):
    y, scores = rng.integers(1, 5, (20, 7)), rng.normal(size=(20, 9, 5)).astype("float32")
    w = rng.uniform(size=20).astype("float32")
    p = [[token for token in row if token] for row in scores.argmax(-1)]
    D = np.array([reference_edits(b, list(a)) for a, b in zip(y, p, strict=True)])
    value = result_of(metrics.WordErrorRate(mask_token_id=0), y, scores, sample_weight=w)
    assert value == pytest.approx((w * D).sum() / (7 * w.sum()), rel=1e-5)


def test_golden():
    peer = golden("text_metrics")
    metric = metrics.WordErrorRate(mask_token_id=0)
    value = result_of(metric, peer["references"][:, 0], peer["predictions"])
    assert value == pytest.approx(peer["wer"], rel=1e-5)


def test_sentences_by_parts():
    metric = metrics.WordErrorRate()
    metric.update_state(["a b c", "d"], ["a b", "d e f"])
    metric.update_state(["x y"], ["x y"])
    assert float(metric.result()) == 0.5
    assert float(metrics.WordErrorRate()([""], ["a"])) == 0
