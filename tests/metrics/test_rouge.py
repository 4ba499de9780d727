import numpy as np
import pytest

from kcatalog import metrics
from kcatalog.conformance.metrics import result_of
from tests.golden.load import golden
from tests.ops.test_text import ngrams_of, reference_common, reference_matches


def reference(r, p, variant, order, score):
    """One sentence against one reference."""
    if variant == "L":
        M, n_p, n_r = reference_common(p, r), len(p), len(r)
    else:
        M = reference_matches(p, [r], order)
        n_p, n_r = len(ngrams_of(p, order)), len(ngrams_of(r, order))
    P, R = (M / n if n else 0 for n in (n_p, n_r))
    return {"precision": P, "recall": R, "f1": 2 * P * R / (P + R) if M else 0}[score]


@pytest.mark.parametrize("score", ["precision", "recall", "f1"])
@pytest.mark.parametrize(("variant", "order"), [("N", 1), ("N", 3), ("L", 1)])
def test_reference(rng, variant, order, score):
    r, p = rng.integers(0, 4, (12, 2, 8)), rng.integers(0, 4, (12, 6))
    w = rng.uniform(size=12).astype("float32")
    best = [
        max(
            reference([t for t in s if t], [t for t in one if t], variant, order, score)
            for s in several
        )
        for several, one in zip(r, p, strict=True)
    ]
    metric = metrics.ROUGE(variant, order, score, mask_token_id=0)
    value = result_of(metric, r, p, sample_weight=w)
    assert value == pytest.approx((w * best).sum() / w.sum(), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "args"), [("rouge1", ("N", 1)), ("rouge2", ()), ("rougeL", "L")])
def test_golden(name, args):
    peer = golden("text_metrics")
    r, p = peer["references"], peer["predictions"]
    for references in (1, 3):
        several = np.where(np.arange(3)[:, None] < references, r, 0)
        value = result_of(metrics.ROUGE(*args, mask_token_id=0), several, p)
        assert value == pytest.approx(peer[f"{name}_f1_{references}"], rel=1e-5)
    for score in ("precision", "recall"):
        value = result_of(
            metrics.ROUGE(*args, score=score, mask_token_id=0), several * [[1], [0], [0]], p
        )
        assert value == pytest.approx(peer[f"{name}_{score}"], rel=1e-5)


def test_sentences_with_references_of_any_number():
    metric = metrics.ROUGE(order=1)
    metric.update_state([["a b", "x"], ["c d"]], ["a b", "c"])
    assert float(metric.result()) == pytest.approx((1 + 2 / 3) / 2)
    np.testing.assert_equal(float(metrics.ROUGE(order=3)(["a b"], ["a b"])), 0.0)
