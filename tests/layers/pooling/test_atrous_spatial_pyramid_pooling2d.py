import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from tests.layers.convolution.loops import batch_norm, convolve


@pytest.mark.parametrize("image_pooling", [True, False])
def test_reference(rng, image_pooling):
    """Section 3.3 of Chen et al., with batch normalization in training."""
    x = rng.normal(size=(4, 5, 6, 3)).astype("float32")
    layer = layers.AtrousSpatialPyramidPooling2D(2, (1, 3), image_pooling)
    y = ops.convert_to_numpy(layer(x, training=True))
    kernels = [ops.convert_to_numpy(w) for w in layer.weights if w.name == "kernel"]

    def unit(x, kernel, rate=1):
        return np.maximum(batch_norm(convolve(x, kernel, padding="same", dilation_rate=rate)), 0)

    u = [unit(x, k, r) for k, r in zip(kernels, (1, 1, 3), strict=False)]
    if image_pooling:
        mean = unit(x.mean((1, 2), keepdims=True), kernels[3])
        u.append(np.broadcast_to(mean, u[0].shape))
    wanted = unit(np.concatenate(u, axis=-1), kernels[-1])
    np.testing.assert_allclose(y, wanted, rtol=1e-2, atol=2e-3)


def test_rates_are_whole_numbers():
    with pytest.raises(ValueError, match="`rates` must be an integer"):
        layers.AtrousSpatialPyramidPooling2D(2, [1.5])
