import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from tests.layers.convolution.loops import batch_norm, convolve
from tests.layers.convolution.peers import batch_norm as torch_batch_norm
from tests.layers.convolution.peers import check_against_peer


@pytest.mark.parametrize(("filters", "strides"), [(4, 1), (3, 1), (4, 2)])
def test_reference(rng, filters, strides):
    x = rng.normal(size=(2, 5, 6, 4)).astype("float32")
    block = layers.ResidualBlock(filters, strides=strides)
    y = ops.convert_to_numpy(block(x, training=True))
    kernels = [ops.convert_to_numpy(w) for w in block.weights if w.name == "kernel"]
    F = np.maximum(batch_norm(convolve(x, kernels[0], strides, "same")), 0)
    F = batch_norm(convolve(F, kernels[1], padding="same"))
    P = x if len(kernels) == 2 else batch_norm(convolve(x, kernels[2], strides, "same"))
    np.testing.assert_allclose(y, np.maximum(P + F, 0), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("case", "strides"), [("basic", 1), ("basic_projected", 2)])
def test_golden(case, strides):
    options = {"activation": "silu", "normalization": torch_batch_norm()}
    check_against_peer(layers.ResidualBlock(6, strides=strides, **options), "timm_residual", case)


FAMILY = {
    "ResidualBlock": {"filters": 4},
    "BottleneckBlock": {"filters": 2, "expansion": 2},
    "InvertedResidual": {"filters": 4, "expansion": 2},
    "FusedInvertedResidual": {"filters": 4, "expansion": 2},
}
each_block = pytest.mark.parametrize("name", FAMILY)


def make(name, **options):
    return getattr(layers, name)(**FAMILY[name], **options)


@each_block
@pytest.mark.parametrize("normalization", ["batch", "group", None])
def test_a_branch_from_zero_leaves_the_identity(rng, name, normalization):
    """Also with a squeeze-and-excitation after it; the activation is that of the sum."""
    x = rng.normal(size=(2, 4, 5, 4)).astype("float32")
    options = {"normalization": normalization, "squeeze_ratio": 0.5, "activation": None}
    block = make(name, zero_init_residual=True, **options)
    np.testing.assert_array_equal(ops.convert_to_numpy(block(x, training=True)), x)
    free = ops.convert_to_numpy(make(name, **options)(x, training=True))
    assert np.abs(free - x).max() > 0.1


@each_block
def test_dropped_branches_leave_the_identity(rng, name):
    x = np.abs(rng.normal(size=(64, 2, 2, 4))).astype("float32")
    block = make(name, drop_rate=0.75, seed=3)
    y = ops.convert_to_numpy(block(x, training=True))
    whole = np.abs(y - x).max((1, 2, 3)) < 1e-6
    assert 0.55 < whole.mean() < 0.95
    assert np.abs(ops.convert_to_numpy(block(x)) - x).max() > 1e-3


@each_block
def test_kernels_of_one_shape_differ(name):
    """An initializer shared by several weights would give all of them the same numbers."""
    block = make(name, kernel_size=1, normalization=None)
    block.build((None, 3, 3, 4))
    kernels = [ops.convert_to_numpy(w).ravel() for w in block.weights if w.name == "kernel"]
    for i, a in enumerate(kernels):
        for b in kernels[:i]:
            assert a.shape != b.shape or not np.allclose(a, b)


@each_block
def test_every_kernel_is_regularized(name):
    block = make(name, kernel_regularizer="l2", squeeze_ratio=0.5)
    block.build((None, 3, 3, 4))
    assert len(block.losses) == len([w for w in block.weights if w.name == "kernel"])


@each_block
def test_sizes_are_rounded_up(name):
    y = make(name, strides=(1, 2))(np.ones((1, 5, 7, 3), "float32"))
    assert y.shape == (1, 5, 4, 4)
