import numpy as np
import pytest
from keras import ops

from kcatalog.conformance.backend import as_numpy, compiled
from kcatalog.ops.sorting import count_below, sort_columns


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 8, 100])
def test_sort_columns(rng, rows):
    x = rng.integers(0, 20, (rows, 5)).astype("float32")
    x[rng.random(x.shape) < 0.2] = np.inf
    out = as_numpy(compiled(sort_columns)(ops.convert_to_tensor(x)))
    np.testing.assert_array_equal(out, np.sort(x, axis=0))


def test_sort_columns_takes_integers(rng):
    x = rng.integers(-9, 9, (13, 2)).astype("int32")
    out = as_numpy(sort_columns(ops.convert_to_tensor(x)))
    np.testing.assert_array_equal(out, np.sort(x, axis=0))


@pytest.mark.parametrize("including", [False, True])
@pytest.mark.parametrize("rows", [1, 5, 64])
def test_count_below(rng, rows, including):
    columns = np.sort(rng.integers(0, 9, (rows, 4)), axis=0).astype("float32")
    x = rng.integers(-1, 10, (6, 4)).astype("float32")
    below = np.less_equal if including else np.less
    expected = [[sum(below(columns[:, c], v)) for c, v in enumerate(row)] for row in x]
    count = compiled(lambda c, x: count_below(c, x, including))
    out = count(ops.convert_to_tensor(columns), ops.convert_to_tensor(x))
    np.testing.assert_array_equal(as_numpy(out), expected)
