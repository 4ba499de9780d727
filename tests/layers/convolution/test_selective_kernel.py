import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from tests.layers.convolution.loops import batch_norm, convolve
from tests.layers.convolution.peers import batch_norm as torch_batch_norm
from tests.layers.convolution.peers import check_against_peer


@pytest.mark.parametrize("dilated", [True, False])
def test_reference(rng, dilated):
    """Equations 1 to 6 of Li et al., with batch normalization in training."""
    x = rng.normal(size=(5, 5, 6, 3)).astype("float32")
    layer = layers.SelectiveKernel(4, (3, 5, 7), dilated=dilated, ratio=2, min_units=1)
    y = ops.convert_to_numpy(layer(x, training=True))
    A = next(ops.convert_to_numpy(w) for w in layer.weights if w.name == "select_kernel")
    *kernels, W = (ops.convert_to_numpy(w) for w in layer.weights if w.name == "kernel")
    rates = (1, 2, 3) if dilated else (1, 1, 1)
    U = [
        np.maximum(batch_norm(convolve(x, k, padding="same", dilation_rate=r)), 0)
        for k, r in zip(kernels, rates, strict=True)
    ]
    s = sum(U).mean((1, 2), keepdims=True)
    z = np.maximum(batch_norm(s @ W[0, 0]), 0)
    wanted = np.zeros_like(U[0])
    for n, c in np.ndindex(5, 4):
        scores = np.exp([z[n, 0, 0] @ A[:, i * 4 + c] for i in range(3)])
        for i in range(3):
            wanted[n, ..., c] += scores[i] / scores.sum() * U[i][n, ..., c]
    np.testing.assert_allclose(y, wanted, rtol=1e-2, atol=2e-3)


@pytest.mark.parametrize(
    ("case", "options"), [("dilated", {}), ("dense", {"dilated": False, "strides": 2})]
)
def test_golden(case, options):
    layer = layers.SelectiveKernel(8, min_units=4, normalization=torch_batch_norm(), **options)
    check_against_peer(layer, "timm_selective_kernel", case, last=1)


@pytest.mark.parametrize("name", ["group", "instance"])
def test_gates_depend_on_the_image_whatever_the_normalization(rng, name):
    """A group of pixels in the gates' place would be one number, normalized to nothing."""
    x = rng.normal(size=(2, 4, 4, 3)).astype("float32")
    layer = layers.SelectiveKernel(4, normalization=name)
    layer.build(x.shape)
    z = ops.convert_to_numpy(layer._W(x[:, :1, :1, :1] * np.ones(4, "float32")))
    assert np.std(z) > 0.1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kernel_sizes": (3, 4)}, "`kernel_sizes` must be odd numbers from 3 up"),
        ({"kernel_sizes": (3,)}, "`kernel_sizes` must be at least two whole numbers"),
        ({"strides": 2}, "`dilated` must be False with strides of 2"),
        ({"groups": 3}, "`groups` must be a divisor of the 4 filters"),
        ({"groups": 2}, "`groups` must be a divisor of the 3 channels"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    with pytest.raises(ValueError, match=f"SelectiveKernel: {message}"):
        layers.SelectiveKernel(4, **arguments).build((None, 5, 5, 3))
