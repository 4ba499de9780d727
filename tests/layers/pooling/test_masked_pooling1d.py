import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from kcatalog.conformance.backend import value_and_gradients

MODES = {
    "mean": lambda real: sum(real) / len(real),
    "max": max,
    "sum": sum,
    "sqrtn": lambda real: sum(real) / len(real) ** 0.5,
    "last": lambda real: real[-1],
    "first": lambda real: real[0],
}
MASK = np.array([[1, 1, 1, 1], [0, 1, 1, 0], [0, 1, 0, 1], [0, 0, 0, 0]], "bool")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("masked", [True, False])
def test_reference(rng, mode, masked):
    """Padding, NaN in some of it, on either side and in the middle, and a row of nothing else."""
    x = rng.normal(size=(4, 4, 3)).astype("float32")
    mask = MASK if masked else np.ones_like(MASK)
    if masked:
        x[1, 0], x[3, 2] = np.nan, np.nan
    layer = layers.MaskedPooling1D(mode)
    y = ops.convert_to_numpy(layer(x, mask=mask) if masked else layer(x))
    for n in range(4):
        for c in range(3):
            real = [float(v) for v, m in zip(x[n, :, c], mask[n], strict=True) if m]
            np.testing.assert_allclose(y[n, c], MODES[mode](real) if real else 0, rtol=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_padding_has_no_gradient(rng, mode):
    x = rng.normal(size=(4, 4, 3)).astype("float32")
    layer = layers.MaskedPooling1D(mode)
    _, (gradient,) = value_and_gradients(lambda x: ops.sum(layer(x, mask=MASK)), [x])
    assert np.isfinite(gradient).all()
    np.testing.assert_array_equal(gradient[~MASK], 0)
    assert (gradient[:3].sum(1) > 0).all()
