import numpy as np
import pytest

from kcatalog.conformance.backend import as_numpy
from kcatalog.ops.weights import weights_like


@pytest.mark.parametrize("shape", [(), (3,), (3, 1), (3, 2)])
def test_weights_take_the_shape_of_the_values(rng, shape):
    w = rng.uniform(size=shape).astype("float32")
    expected = np.broadcast_to(w[:, None] if shape == (3,) else w, (3, 2))
    np.testing.assert_array_equal(as_numpy(weights_like(w, np.zeros((3, 2)))), expected)


def test_a_column_for_samples_of_one_value():
    assert as_numpy(weights_like(np.ones((3, 1)), np.zeros(3))).shape == (3,)
