import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from tests.layers.convolution.loops import batch_norm, convolve
from tests.layers.convolution.peers import batch_norm as torch_batch_norm
from tests.layers.convolution.peers import check_against_peer


@pytest.mark.parametrize("strides", [1, 2])
def test_reference(rng, strides):
    x = rng.normal(size=(2, 5, 6, 6)).astype("float32")
    block = layers.BottleneckBlock(2, strides=strides, expansion=3)
    y = ops.convert_to_numpy(block(x, training=True))
    kernels = [ops.convert_to_numpy(w) for w in block.weights if w.name == "kernel"]
    F = np.maximum(batch_norm(convolve(x, kernels[0])), 0)
    F = np.maximum(batch_norm(convolve(F, kernels[1], strides, "same")), 0)
    F = batch_norm(convolve(F, kernels[2]))
    P = x if len(kernels) == 3 else batch_norm(convolve(x, kernels[3], strides, "same"))
    np.testing.assert_allclose(y, np.maximum(P + F, 0), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("case", "strides"), [("bottleneck", 1), ("bottleneck_projected", 2)])
def test_golden(case, strides):
    options = {"groups": 2, "activation": "silu", "normalization": torch_batch_norm()}
    check_against_peer(layers.BottleneckBlock(4, strides=strides, **options), "timm_residual", case)


def test_weights_of_the_first_stage_of_resnext():
    """ResNeXt-50 32x4d: 256 in, 128 inside in 32 groups of 4, 256 out."""
    block = layers.BottleneckBlock(128, expansion=2, groups=32)
    block.build((None, 8, 8, 256))
    shapes = [tuple(w.shape) for w in block.weights if w.name == "kernel"]
    assert shapes == [(1, 1, 256, 128), (3, 3, 4, 128), (1, 1, 128, 256)]
