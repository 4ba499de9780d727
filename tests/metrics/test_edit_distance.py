import numpy as np
import pytest

from kcatalog import metrics
from kcatalog.conformance.metrics import result_of
from tests.golden.load import golden
from tests.ops.test_text import reference_edits


def test_reference(rng):
    y, p = rng.integers(1, 5, (20, 7)), rng.integers(1, 5, (20, 9))
    w = rng.uniform(size=20).astype("float32")
    D = np.array([reference_edits(list(b), list(a)) for a, b in zip(y, p, strict=True)])
    value = result_of(metrics.EditDistance(), y, p, sample_weight=w)
    assert value == pytest.approx((w * D).sum() / (7 * w.sum()), rel=1e-5)
    value = result_of(metrics.EditDistance(normalize=False), y, p, sample_weight=w)
    assert value == pytest.approx((w * D).sum() / w.sum(), rel=1e-5)


def test_golden():
    peer = golden("text_metrics")
    references, n = peer["references"][:, 0], np.sum(peer["references"][:, 0] > 0)
    for normalize, expected in ((True, peer["edit_distance"].sum() / n), (False, None)):
        metric = metrics.EditDistance(normalize, mask_token_id=0)
        value = result_of(metric, references, peer["predictions"])
        assert value == pytest.approx(expected or peer["edit_distance"].mean(), rel=1e-5)


def test_characters_of_strings():
    metric = metrics.EditDistance()
    assert float(metric(["sitting", "ab"], ["kitten", ""])) == pytest.approx(5 / 9)
    assert float(metrics.EditDistance()([["sit", "down"]], [["sit"]])) == 0.5
