import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import value_and_gradients
from tests.golden.load import golden
from tests.losses.pairs import (
    batch,
    check_each,
    check_nothing_to_learn,
    check_value_and_gradient,
    distances,
    positives_and_negatives,
)


def reference(D, labels, temperature):
    """Equation 1 of Frosst et al., one sample at a time; None without a positive."""
    for i in range(len(D)):
        positives, negatives = positives_and_negatives(labels, i)
        if not positives:
            yield None
            continue
        same = sum(np.exp(-D[i, j] / temperature) for j in positives)
        every = sum(np.exp(-D[i, k] / temperature) for k in positives + negatives)
        yield -np.log(same / every)


@pytest.mark.parametrize(
    ("name", "normalize", "temperature"),
    [("squared_euclidean", False, 3.0), ("euclidean", True, 0.2), ("cosine", False, 0.5)],
)
def test_reference(rng, name, normalize, temperature):
    labels, x = batch(rng)
    each = list(reference(distances(x, name, normalize), labels, temperature))
    loss = losses.SoftNearestNeighbor(temperature, name, normalize, reduction=None)
    check_each(loss, labels, x, np.array([v or 0.0 for v in each]) * 11 / 10)


def test_golden():
    peer = golden("tfsim_in_batch")
    loss = losses.SoftNearestNeighbor(temperature=2.0)
    value, gradient = peer["soft_nearest_neighbor"], peer["soft_nearest_neighbor_gradient"]
    check_value_and_gradient(loss, peer["labels"], peer["x"], value, gradient)


def test_the_worst_samples_keep_their_gradient():
    """exp(-D / T) is 0 in any precision here; the peer's loss would be flat."""
    x = np.array([[0.0], [300.0], [1.0]], "float32")
    loss = losses.SoftNearestNeighbor(reduction=None)
    labels = np.array([0, 0, 1])
    value, (gradient,) = value_and_gradients(lambda x: loss(labels, x)[0], [x])
    np.testing.assert_allclose(value, (300.0**2 - 1) * 3 / 2, rtol=1e-5)
    np.testing.assert_allclose(gradient[:, 0], np.array([-598, 600, -2]) * 3 / 2, rtol=1e-3)


@pytest.mark.parametrize("labels", [[3], [3, 3, 3], [1, 2, 3]])
def test_nothing_to_learn(rng, labels):
    x = rng.normal(size=(len(labels), 2)).astype("float32")
    check_nothing_to_learn(losses.SoftNearestNeighbor(), labels, x)
