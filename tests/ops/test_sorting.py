import numpy as np
import pytest
from keras import ops

from kcatalog.conformance.backend import as_numpy, compiled
from kcatalog.ops.sorting import count_below, sort_rows


@pytest.mark.slow
@pytest.mark.parametrize("places", [1, 2, 3, 7, 8, 100])
def test_sort_rows(rng, places):
    x = rng.integers(0, 20, (5, places)).astype("float32")
    x[rng.random(x.shape) < 0.2] = np.inf
    out = as_numpy(compiled(sort_rows)(ops.convert_to_tensor(x)))
    np.testing.assert_array_equal(out, np.sort(x, axis=1))


def test_sort_rows_takes_integers(rng):
    x = rng.integers(-9, 9, (2, 13)).astype("int32")
    out = as_numpy(sort_rows(ops.convert_to_tensor(x)))
    np.testing.assert_array_equal(out, np.sort(x, axis=1))


@pytest.mark.parametrize("including", [False, True])
@pytest.mark.parametrize("places", [1, 2, 5, 6, 64])
def test_count_below(rng, places, including):
    rows = np.sort(rng.integers(0, 9, (4, places)), axis=1).astype("float32")
    x = rng.integers(-1, 10, (4, 6)).astype("float32")
    below = np.less_equal if including else np.less
    expected = [[sum(below(row, v)) for v in queries] for row, queries in zip(rows, x, strict=True)]
    count = compiled(lambda rows, x: count_below(rows, x, including))
    out = count(ops.convert_to_tensor(rows), ops.convert_to_tensor(x))
    np.testing.assert_array_equal(as_numpy(out), expected)
