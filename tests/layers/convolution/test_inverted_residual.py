import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from tests.layers.convolution.loops import batch_norm, convolve
from tests.layers.convolution.peers import batch_norm as torch_batch_norm
from tests.layers.convolution.peers import check_against_peer


def relu6(x):
    return np.minimum(np.maximum(x, 0), 6)


@pytest.mark.parametrize(("expansion", "strides"), [(2, 1), (1.5, 2), (1, 1)])
def test_reference(rng, expansion, strides):
    x = rng.normal(size=(2, 5, 6, 4)).astype("float32")
    block = layers.InvertedResidual(4, strides=strides, expansion=expansion)
    y = ops.convert_to_numpy(block(x, training=True))
    *expand, depthwise, project = (
        ops.convert_to_numpy(w) for w in block.weights if w.name == "kernel"
    )
    F = relu6(batch_norm(convolve(x, expand[0]))) if expansion > 1 else x
    F = batch_norm(convolve(F, depthwise, strides, "same", groups=int(4 * expansion)))
    F = batch_norm(convolve(relu6(F), project))
    np.testing.assert_allclose(y, x + F if strides == 1 else F, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("case", "arguments"),
    [
        ("inverted", {"filters": 8}),
        ("inverted_strided", {"filters": 6, "kernel_size": 5, "strides": 2}),
    ],
)
def test_golden(case, arguments):
    options = {"activation": "silu", "normalization": torch_batch_norm()}
    block = layers.InvertedResidual(expansion=2, squeeze_ratio=0.25, **arguments, **options)
    check_against_peer(block, "timm_inverted_residual", case)


def test_the_gates_bottleneck_is_a_share_of_what_comes_in():
    """EfficientNet's first wide block: 16 in, 96 inside, gates from 4."""
    block = layers.InvertedResidual(24, expansion=6, squeeze_ratio=0.25)
    block.build((None, 8, 8, 16))
    assert [w.shape for w in block.weights if "squeeze_kernel" in w.path] == [(96, 4)]
