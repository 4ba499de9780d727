import numpy as np

from kcatalog.conformance.backend import as_numpy
from kcatalog.ops.samples import flat_samples, mean_over_outputs


def test_mean_over_outputs_keeps_the_batch():
    x = np.arange(6, dtype="float32").reshape(3, 2)
    np.testing.assert_array_equal(as_numpy(mean_over_outputs(x)), [0.5, 2.5, 4.5])
    np.testing.assert_array_equal(as_numpy(mean_over_outputs(x[:, 0])), x[:, 0])


def test_flat_samples(rng):
    x = rng.normal(size=(3, 2, 4)).astype("float32")
    np.testing.assert_array_equal(as_numpy(flat_samples(x)), x.reshape(3, 8))
    assert as_numpy(flat_samples(x[:, 0, 0])).shape == (3, 1)
