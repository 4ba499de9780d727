import numpy as np
import pytest
from keras import ops

from kcatalog import layers


@pytest.mark.parametrize("p", [1.0, 2.5, 30.0])
def test_reference(rng, p):
    """Equation 3 of Radenović et al. over the real steps, one number at a time."""
    x = rng.uniform(0.01, 3, size=(3, 5, 2)).astype("float32")
    mask = np.array([[1, 1, 1, 1, 1], [0, 1, 0, 1, 1], [0, 0, 0, 0, 0]], "bool")
    y = ops.convert_to_numpy(layers.GeneralizedMeanPooling1D(p=p)(x, mask=mask))
    for n in range(2):
        for c in range(2):
            real = [float(v) ** p for v, m in zip(x[n, :, c], mask[n], strict=True) if m]
            np.testing.assert_allclose(y[n, c], (sum(real) / len(real)) ** (1 / p), rtol=1e-5)
    np.testing.assert_array_equal(y[2], 0)
