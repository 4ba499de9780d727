import numpy as np
import pytest
from keras import ops
from scipy.stats import rankdata

from kcatalog.conformance.backend import as_numpy
from kcatalog.ops.buffer import appended
from kcatalog.ops.ranks import centred_ranks, inversions, kendall_pairs, stable_argsort


def reference_pairs(x, y, w):
    """Pair by pair: concordant less discordant, apart in x, apart in y."""
    sums = np.zeros(3)
    for i in range(len(x)):
        for j in range(i):
            order = np.sign(x[i] - x[j]) * np.sign(y[i] - y[j])
            sums += w[i] * w[j] * np.array([order, x[i] != x[j], y[i] != y[j]])
    return sums


@pytest.mark.parametrize("n", [1, 3, 300])
def test_reference_of_pairs(rng, n):
    x, y = rng.integers(0, 9, n).astype("float32"), rng.integers(0, 20, n).astype("float32")
    w = rng.integers(0, 3, n).astype("float32")
    pairs = [float(v) for v in kendall_pairs(x, y, w)]
    np.testing.assert_allclose(pairs, reference_pairs(x, y, w))


def test_inversions_by_merging(rng):
    rank, w = rng.integers(0, 50, 300), rng.uniform(size=300).astype("float32")
    later = np.triu(rank[:, None] > rank[None, :], 1)
    expected = (w[:, None] * w[None, :] * later).sum()
    assert float(inversions(rank, w)) == pytest.approx(expected, rel=1e-5)


def test_centred_ranks(rng):
    x = rng.integers(0, 9, 40).astype("float32")
    r = as_numpy(centred_ranks(x, np.ones(40, "float32")))
    np.testing.assert_allclose(r, rankdata(x) - 20.5)


@pytest.mark.parametrize("n", [50, 70_000])  # one digit, several
def test_stable_argsort(rng, n):
    rank = rng.integers(0, n, n) // (n // 10) * (n // 10)
    order = as_numpy(stable_argsort(ops.convert_to_tensor(rank, "int32")))
    np.testing.assert_array_equal(order, np.argsort(rank, kind="stable"))


def test_a_buffer_keeps_what_comes_first():
    kept = np.zeros((5, 2), "float32")
    for count in (0, 3):
        batch = np.arange(count * 2, count * 2 + 6, dtype="float32").reshape(3, 2)
        kept = appended(ops.convert_to_tensor(kept), ops.convert_to_tensor(batch), count)
    np.testing.assert_array_equal(as_numpy(kept), np.arange(10).reshape(5, 2))
