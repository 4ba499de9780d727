import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from kcatalog import metrics
from kcatalog.conformance.metrics import result_of
from tests.golden.load import golden


def reference(y, p, classes, weights, w):
    """Cohen's sums, pair of classes by pair of classes."""
    n, disagree, by_chance = sum(w), 0.0, 0.0
    for i in range(classes):
        for j in range(classes):
            v = {None: float(i != j), "linear": abs(i - j), "quadratic": (i - j) ** 2}[weights]
            disagree += v * sum(c for a, b, c in zip(y, p, w, strict=True) if (a, b) == (i, j)) / n
            a_i = sum(c for a, c in zip(y, w, strict=True) if a == i) / n
            b_j = sum(c for b, c in zip(p, w, strict=True) if b == j) / n
            by_chance += v * a_i * b_j
    return 1 - disagree / by_chance


@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
def test_reference(rng, weights):
    y, scores = rng.integers(0, 4, 30), rng.normal(size=(30, 4)).astype("float32")
    w = rng.uniform(size=30).astype("float32")
    value = result_of(metrics.CohenKappa(4, weights), y, scores, sample_weight=w)
    p = scores.argmax(-1)
    assert value == pytest.approx(reference(y, p, 4, weights, w), abs=1e-6)
    peer = cohen_kappa_score(y, p, weights=weights, sample_weight=w, labels=range(4))
    assert value == pytest.approx(peer, abs=1e-6)


def test_golden():
    peer = golden("tfa_metrics")
    for weights in (None, "linear", "quadratic"):
        for name, w in (("", None), ("_weighted", peer["weights"])):
            metric = metrics.CohenKappa(4, weights)
            value = result_of(metric, peer["labels"], peer["scores"], sample_weight=w)
            assert value == pytest.approx(peer[f"kappa_{weights}{name}"], rel=1e-5)
    value = result_of(metrics.CohenKappa(2), peer["labels"] % 2, peer["probability"])
    assert value == pytest.approx(peer["kappa_binary"], rel=1e-5)


def test_plain_numbers_are_probabilities_grades_or_indices():
    y = np.array([0, 1, 2, 3])
    for grades in ([0.4, 1.3, 1.6, 9.0], [[0.0], [1.0], [2.0], [3.0]], [-5.0, 1.0, 2.5, 2.51]):
        metric = metrics.CohenKappa(4, "quadratic")
        assert result_of(metric, y, np.array(grades, "float32")) == 1
    logits = metrics.CohenKappa(2, threshold=0)
    assert result_of(logits, y // 2, np.array([-0.1, 0.0, 0.1, 0.2], "float32")) == 1


def test_a_class_for_each_step_of_a_sequence(rng):
    y, scores = rng.integers(0, 3, (5, 7)), rng.normal(size=(5, 7, 3)).astype("float32")
    w = rng.uniform(size=5).astype("float32")
    expected = reference(y.ravel(), scores.argmax(-1).ravel(), 3, None, np.repeat(w, 7))
    for targets in (y, y[..., None], np.eye(3, dtype="float32")[y]):
        metric = metrics.CohenKappa(3)
        assert result_of(metric, targets, scores, sample_weight=w) == pytest.approx(
            expected, abs=1e-6
        )


def test_labels_that_do_not_count_and_nothing_to_count():
    scores = np.eye(3, dtype="float32")[[0, 1, 2, 0]]
    assert result_of(metrics.CohenKappa(3), np.array([0, 1, 2, -1]), scores) == 1
    assert result_of(metrics.CohenKappa(3), np.zeros(4, "int32"), scores[:1].repeat(4, 0)) == 0


def test_wrong_number_of_classes():
    with pytest.raises(ValueError, match=r"CohenKappa: `y_pred` must be scores \(batch, ..., 4\)"):
        result_of(metrics.CohenKappa(4), np.zeros(2), np.zeros((2, 3), "float32"))
