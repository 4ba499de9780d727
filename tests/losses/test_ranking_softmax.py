import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden


def reference(s, y, temperature=1.0):
    """The equation, one list at a time, over the items whose relevance is not negative."""
    each = []
    for scores, relevance in zip(s.astype("float64"), y, strict=True):
        items = [i for i in range(len(scores)) if relevance[i] >= 0]
        total = sum(np.exp(scores[j] / temperature) for j in items)
        log_p = {i: np.log(np.exp(scores[i] / temperature) / total) for i in items}
        each.append(-sum(relevance[i] * log_p[i] for i in items))
    return each


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_reference(rng, temperature):
    s, y = rng.normal(size=(6, 4)).astype("float32"), rng.integers(-1, 3, (6, 4))
    y[0] = -1
    loss = losses.RankingSoftmax(temperature, reduction=None)
    np.testing.assert_allclose(as_numpy(loss(y, s)), reference(s, y, temperature), rtol=1e-5)


def test_golden():
    peer = golden("optax_ranking_softmax")
    y = np.where(peer["where"], peer["relevance"], -1)
    loss = losses.RankingSoftmax()
    each = as_numpy(losses.RankingSoftmax(reduction=None)(y, peer["scores"]))
    np.testing.assert_allclose(each, peer["loss"], rtol=1e-5)
    value, (gradient,) = value_and_gradients(lambda s: loss(y, s), [peer["scores"]])
    np.testing.assert_allclose(value, peer["mean"], rtol=1e-5)
    np.testing.assert_allclose(gradient, peer["gradient"], rtol=1e-5, atol=1e-6)


def test_padding_changes_nothing(rng):
    s, y = rng.normal(size=(3, 4)).astype("float32"), rng.integers(0, 3, (3, 4))
    longer = np.concatenate([s, [[1e4], [-1e4], [0]]], axis=1).astype("float32")
    padded = np.concatenate([y, np.full((3, 1), -1)], axis=1)
    loss = losses.RankingSoftmax()
    value, (gradient,) = value_and_gradients(lambda s: loss(padded, s), [longer])
    np.testing.assert_allclose(value, as_numpy(loss(y, s)), rtol=1e-5)
    np.testing.assert_array_equal(gradient[:, 4], [0, 0, 0])


def test_nothing_but_padding():
    y = np.full((2, 3), -1.0)
    for scale in (1.0, 1e4):
        s = scale * np.array([[1, -1, 1], [0, 0, 0]], "float32")
        value, (gradient,) = value_and_gradients(lambda s: losses.RankingSoftmax()(y, s), [s])
        assert value == 0
        np.testing.assert_array_equal(gradient, np.zeros((2, 3)))


def test_an_empty_list_leaves_the_mean_alone(rng):
    s, y = rng.normal(size=(3, 4)).astype("float32"), np.array([[1] * 4, [-1] * 4, [0, 1, 2, -1]])
    weights = np.array([2.0, 5.0, 1.0], "float32")
    each = reference(s, y)
    mean = as_numpy(losses.RankingSoftmax()(y, s))
    np.testing.assert_allclose(mean, (each[0] + each[2]) / 2, rtol=1e-5)
    weighted = as_numpy(losses.RankingSoftmax()(y, s, sample_weight=weights))
    np.testing.assert_allclose(weighted, (2 * each[0] + each[2]) / 2, rtol=1e-5)
