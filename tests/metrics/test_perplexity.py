import numpy as np
import pytest

from kcatalog import metrics
from kcatalog.conformance.metrics import result_of


def reference(y, p, w):
    """The product of probabilities, as a mean per token, inverted."""
    product = np.prod([p[s, t, y[s, t]] ** w[s, t] for s, t in np.ndindex(y.shape)])
    return product ** (-1 / w.sum())


def test_reference(rng):
    y, logits = rng.integers(0, 7, (4, 5)), rng.normal(size=(4, 5, 7)).astype("float32")
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    w = rng.uniform(size=(4, 5)).astype("float32")
    expected = pytest.approx(reference(y, p, w), rel=1e-5)
    assert result_of(metrics.Perplexity(), y, p, sample_weight=w) == expected
    assert result_of(metrics.Perplexity(from_logits=True), y, logits, sample_weight=w) == expected
    masked = np.where(y == 3, 0.0, np.ones((4, 1)))
    value = result_of(metrics.Perplexity(mask_token_id=3), y, p)
    assert value == pytest.approx(reference(y, p, masked), rel=1e-5)


def test_tokens_count_alike_in_batches_of_any_padding(rng):
    y = np.array([[1, 2, 3, 4], [5, -1, -1, -1]])
    p = rng.uniform(0.1, 1, size=(2, 4, 6)).astype("float32")
    p = p / p.sum(-1, keepdims=True)
    value = result_of(metrics.Perplexity(mask_token_id=-1), y[:1], p[:1], y[1:], p[1:])
    assert value == pytest.approx(reference(y, p, (y != -1).astype(float)), rel=1e-5)


def test_hopeless_and_nothing():
    logits = np.array([[[1e4, -1e4]]], "float32")
    assert np.isfinite(result_of(metrics.Perplexity(from_logits=True), np.array([[1]]), logits))
    assert result_of(metrics.Perplexity(from_logits=True), np.array([[0]]), logits) == 1
    assert result_of(metrics.Perplexity(True, mask_token_id=0), np.array([[0]]), logits) == 0
