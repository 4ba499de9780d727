import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from tests.layers.convolution.loops import batch_norm, convolve
from tests.layers.convolution.peers import batch_norm as torch_batch_norm
from tests.layers.convolution.peers import check_against_peer


def silu(x):
    return x / (1 + np.exp(-x))


@pytest.mark.parametrize(("expansion", "strides"), [(2, 1), (1.5, 2), (1, 1)])
def test_reference(rng, expansion, strides):
    x = rng.normal(size=(2, 5, 6, 4)).astype("float32")
    block = layers.FusedInvertedResidual(4, strides=strides, expansion=expansion)
    y = ops.convert_to_numpy(block(x, training=True))
    fused, *project = (ops.convert_to_numpy(w) for w in block.weights if w.name == "kernel")
    F = silu(batch_norm(convolve(x, fused, strides, "same")))
    F = batch_norm(convolve(F, project[0])) if expansion > 1 else F
    np.testing.assert_allclose(y, x + F if strides == 1 else F, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("case", "arguments"),
    [("fused", {"filters": 8}), ("fused_strided", {"filters": 6, "strides": 2})],
)
def test_golden(case, arguments):
    options = {"activation": "silu", "normalization": torch_batch_norm()}
    block = layers.FusedInvertedResidual(expansion=2, squeeze_ratio=0.25, **arguments, **options)
    check_against_peer(block, "timm_inverted_residual", case)
