import keras
import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from kcatalog.ops.ordinal import corn_probabilities, corn_ranks
from tests.golden.load import golden


def reference(z, y):
    """Each task on the samples that reach it; all their cross-entropies over their number."""
    total, number = 0.0, 0
    for k in range(z.shape[1]):
        for row, label in zip(z.astype("float64"), y, strict=True):
            if label >= k:
                p = 1 / (1 + np.exp(-row[k]))
                total -= np.log(p) if label > k else np.log(1 - p)
                number += 1
    return total / number


@pytest.mark.parametrize("ranks", [2, 5])
def test_reference(rng, ranks):
    z, y = rng.normal(size=(8, ranks - 1)).astype("float32"), rng.integers(0, ranks, 8)
    for y_true in (y, y[:, None]):
        np.testing.assert_allclose(as_numpy(losses.CORN()(y_true, z)), reference(z, y), rtol=1e-5)


@pytest.mark.parametrize("case", ["", "few_"])
def test_golden(case):
    peer = golden("coral_corn")
    y = np.minimum(peer["labels"], 1) if case else peer["labels"]
    value, (gradient,) = value_and_gradients(lambda z: losses.CORN()(y, z), [peer["logits"]])
    np.testing.assert_allclose(value, peer[f"{case}loss"], rtol=1e-5)
    np.testing.assert_allclose(gradient, peer[f"{case}gradient"], rtol=1e-5, atol=1e-7)


def test_a_sample_is_its_log_likelihood(rng):
    z, y = rng.normal(size=(6, 3)).astype("float32"), np.array([0, 1, 2, 3, 3, 0])
    p = as_numpy(corn_probabilities(z))
    each = as_numpy(losses.CORN(reduction=None)(y, z))
    tasks = np.minimum(y + 1, 3).mean()
    np.testing.assert_allclose(each, -np.log(p[np.arange(6), y]) / tasks, rtol=1e-4)


@pytest.mark.slow
def test_it_learns_ranks():
    x = np.linspace(-1, 1, 64, dtype="float32")[:, None]
    y = np.digitize(x[:, 0], [-0.5, 0.1, 0.4])
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(3)])
    model.compile(keras.optimizers.Adam(0.5), losses.CORN())
    steps = np.tile(x, (60, 1)), np.tile(y, 60)  # one epoch: each costs more than its steps
    model.fit(*steps, batch_size=64, shuffle=False, verbose=0)
    found = as_numpy(corn_ranks(model.predict(x, verbose=0)))
    assert np.mean(found == y) > 0.9
    assert np.all(np.diff(found) >= 0)
