import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from tests.layers.convolution.loops import convolve
from tests.layers.convolution.peers import check_against_peer


def standardized(kernel, epsilon, scaled):
    """Equations 7 and 8 of Qiao et al., one filter at a time; the scaling of Brock et al."""
    V = np.empty(kernel.shape)
    for f in range(kernel.shape[-1]):
        w = kernel[..., f].astype("float64")
        V[..., f] = (w - w.mean()) / np.sqrt(((w - w.mean()) ** 2).mean() + epsilon)
        if scaled:
            V[..., f] /= np.sqrt(w.size)
    return V


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("options", [{"strides": 2, "padding": "same"}, {"groups": 2}])
def test_reference(rng, scaled, options):
    x = rng.normal(size=(2, 5, 6, 4)).astype("float32")
    layer = layers.WeightStandardizedConv2D(6, 3, scaled=scaled, epsilon=1e-3, **options)
    layer.build(x.shape)
    kernel = rng.normal(1.0, 0.1, size=layer.kernel.shape).astype("float32")
    layer.kernel.assign(kernel)
    wanted = convolve(x, standardized(kernel, 1e-3, scaled), **options)
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x)), wanted, rtol=1e-4, atol=1e-4)


def test_scaled_keeps_the_variance(rng):
    """The reason for `√N`: unit variance in, unit variance out, whatever the kernel."""
    x = rng.normal(size=(8, 12, 12, 16)).astype("float32")
    layer = layers.WeightStandardizedConv2D(32, 3, scaled=True, kernel_initializer="he_uniform")
    assert np.var(ops.convert_to_numpy(layer(x))) == pytest.approx(1, abs=0.05)


def test_the_sum_and_the_scale_of_a_filter_do_not_matter(rng):
    x = rng.normal(size=(1, 5, 5, 3)).astype("float32")
    layer = layers.WeightStandardizedConv2D(2, 3)
    y = ops.convert_to_numpy(layer(x))
    layer.kernel.assign(7 * layer.kernel + 3)
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x)), y, rtol=1e-3, atol=1e-3)


def test_golden():
    layer = layers.WeightStandardizedConv2D(6, 3, 2, "same", groups=2)
    check_against_peer(layer, "timm_std_conv", "plain")
    layer = layers.WeightStandardizedConv2D(6, 3, padding="same", dilation_rate=2, scaled=True)
    check_against_peer(layer, "timm_std_conv", "scaled")
