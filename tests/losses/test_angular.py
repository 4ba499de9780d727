import numpy as np
import pytest

from kcatalog import losses
from tests.golden.load import golden
from tests.losses.pairs import (
    batch,
    check_each,
    check_nothing_to_learn,
    check_value_and_gradient,
    positives_and_negatives,
)


def reference(x, labels, angle_degrees):
    """Equation 8 of Wang et al., one triplet at a time; the sum of each anchor, and the pairs."""
    x = np.asarray(x, "float64")
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    t = np.tan(np.radians(angle_degrees)) ** 2
    sums, pairs = np.zeros(len(x)), 0
    for a in range(len(x)):
        positives, negatives = positives_and_negatives(labels, a)
        for p in positives:
            f = [4 * t * (x[a] + x[p]) @ x[n] - 2 * (1 + t) * x[a] @ x[p] for n in negatives]
            sums[a] += np.log(1 + sum(np.exp(f)))
            pairs += 1
    return sums, pairs


@pytest.mark.parametrize("angle_degrees", [1, 36, 60])
def test_reference(rng, angle_degrees):
    labels, x = batch(rng)
    sums, pairs = reference(x, labels, angle_degrees)
    check_each(losses.Angular(angle_degrees, reduction=None), labels, x, sums * 11 / pairs)


@pytest.mark.parametrize("which", ["x", "near"])
def test_golden(which):
    peer = golden("pml_in_batch")
    value, gradient = (peer[f"angular_{which}{end}"] for end in ("", "_gradient"))
    loss = losses.Angular(40)
    check_value_and_gradient(loss, peer["labels"], peer[which], value, gradient)


def test_the_widest_angle_and_the_farthest_negatives_do_not_underflow():
    x = np.array([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]], "float32")
    labels = np.array([0, 0, 1])
    t = np.tan(np.radians(60)) ** 2
    f = -8 * t - 2 * (1 + t)
    value = float(losses.Angular(60)(labels, x))
    np.testing.assert_allclose(value, np.exp(f), rtol=1e-4)


@pytest.mark.parametrize("labels", [[3], [3, 3, 3], [1, 2, 3]])
def test_nothing_to_learn(rng, labels):
    x = rng.normal(size=(len(labels), 2)).astype("float32")
    check_nothing_to_learn(losses.Angular(), labels, x)
