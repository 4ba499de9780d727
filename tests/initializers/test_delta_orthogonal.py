import keras
import numpy as np
import pytest

from kcatalog import initializers
from kcatalog.conformance.backend import as_numpy

DeltaOrthogonal = initializers.DeltaOrthogonal


def reference(inputs, units, gain, seed):
    """Algorithm 1 of Xiao et al. from the same normal numbers, by Gram and Schmidt."""
    a = as_numpy(keras.random.normal((units, inputs), dtype="float32", seed=seed))
    rows = []
    for v in a.astype("float64").T:
        for q in rows:
            v = v - sum(v * q) * q
        rows.append(v / np.sqrt(sum(v**2)))
    return gain * np.array(rows)


@pytest.mark.parametrize("places", [(), (3,), (3, 3), (5, 1, 3), (4,)])
@pytest.mark.parametrize(("inputs", "units"), [(3, 5), (4, 4), (1, 1)])
def test_reference(places, inputs, units):
    K = as_numpy(DeltaOrthogonal(1.5, seed=3)((*places, inputs, units)))
    centre = tuple((n - 1) // 2 for n in places)
    np.testing.assert_allclose(K[centre], reference(inputs, units, 1.5, 3), rtol=1e-3, atol=1e-5)
    K[centre] = 0
    assert not K.any()


def test_a_convolution_keeps_the_length_of_any_image(rng):
    x = rng.normal(size=(3, 8, 8, 4)).astype("float32")
    conv = keras.layers.Conv2D(
        6, 3, padding="same", kernel_initializer=DeltaOrthogonal(seed=1), use_bias=False
    )
    lengths = [np.linalg.norm(np.reshape(a, (3, -1)), axis=1) for a in (x, as_numpy(conv(x)))]
    np.testing.assert_allclose(lengths[1], lengths[0], rtol=1e-4)


def test_directions_are_even():
    """Without the signs of R's diagonal, the first entries would mostly be negative."""
    draws = [as_numpy(DeltaOrthogonal(seed=s)((1, 2, 2))) for s in range(40)]
    assert abs(np.mean(draws)) < 0.2
    np.testing.assert_allclose(np.mean(np.square(draws)), 0.5, rtol=1e-5)


@pytest.mark.parametrize("shape", [(4,), (3, 3, 4, 2)])
def test_fewer_units_than_inputs_are_refused(shape):
    with pytest.raises(ValueError, match=r"Use keras\.initializers\.Orthogonal"):
        DeltaOrthogonal()(shape)
