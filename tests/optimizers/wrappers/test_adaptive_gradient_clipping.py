import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.optimizers import AdaptiveGradientClipping
from tests.golden.load import golden


def reference(g, w, clip_factor, epsilon):
    """Equation 3 of Brock et al., one unit at a time."""
    units = [()] if g.ndim <= 1 else [(..., i) for i in range(g.shape[-1])]
    out = np.array(g, dtype="float64")
    for unit in units:
        g_norm = np.sqrt(np.sum(np.square(g[unit])))
        w_norm = max(np.sqrt(np.sum(np.square(w[unit]))), epsilon)
        if g_norm / w_norm > clip_factor:
            out[unit] = clip_factor * w_norm / g_norm * g[unit]
    return out


def clipped(g, w, **args):
    """The gradient as plain SGD at rate 1 uses it."""
    variable = keras.Variable(w.astype("float32"))
    optimizer = AdaptiveGradientClipping(keras.optimizers.SGD(1.0), **args)
    optimizer.apply([ops.convert_to_tensor(g.astype("float32"))], [variable])
    return w - ops.convert_to_numpy(variable.value)


@pytest.mark.parametrize("shape", [(5, 7), (3, 2, 4, 6), (3, 4, 6), (7,), ()])
@pytest.mark.parametrize("clip_factor", [0.01, 0.5, 10.0])
def test_reference(rng, shape, clip_factor):
    g, w = rng.normal(size=shape), rng.normal(size=shape)
    result = clipped(g, w, clip_factor=clip_factor)
    np.testing.assert_allclose(result, reference(g, w, clip_factor, 1e-3), rtol=1e-4, atol=1e-6)


TIMM = [("timm_adaptive_clip_grad", w) for w in ("conv", "conv1d", "dense", "bias", "scalar")]
# of three axes (conv1d) optax reduces the first only; timm and we, all but the output's
OPTAX = [("optax_adaptive_grad_clip", w) for w in ("conv", "dense", "bias", "scalar")]


@pytest.mark.parametrize(("peer", "weight"), TIMM + OPTAX)
def test_golden(peer, weight):
    peer = golden(peer)
    g, w = peer[f"{weight}_gradient"], peer[f"{weight}_weight"]
    factor = float(peer["clipping" if "clipping" in peer else "clip_factor"])
    result = clipped(g, w, clip_factor=factor, epsilon=float(peer["epsilon"]))
    np.testing.assert_allclose(result, peer[f"{weight}_clipped"], rtol=1e-3, atol=5e-7)


def test_zero_weights_can_leave_and_zero_gradients_are_finite():
    result = clipped(np.array([3.0, 4.0]), np.zeros(2), clip_factor=0.1, epsilon=1e-2)
    np.testing.assert_allclose(result, [6e-4, 8e-4], rtol=1e-4)
    assert np.all(clipped(np.zeros((2, 2)), np.zeros((2, 2))) == 0)


@pytest.mark.parametrize("size", [3e19, 1e38])
def test_norms_do_not_overflow(size):
    w = keras.Variable(np.ones((3, 1), "float32"))
    optimizer = AdaptiveGradientClipping(keras.optimizers.SGD(1.0), clip_factor=0.1)
    optimizer.apply([ops.full((3, 1), size)], [w])
    np.testing.assert_allclose(ops.convert_to_numpy(w.value), 0.9, rtol=1e-5)


def test_norms_of_half_precision_do_not_overflow():
    w = keras.Variable(np.full((3, 2), 300.0), dtype="float16")
    optimizer = AdaptiveGradientClipping(keras.optimizers.SGD(1.0), clip_factor=0.1)
    optimizer.apply([ops.full((3, 2), 400.0, dtype="float16")], [w])
    np.testing.assert_allclose(ops.convert_to_numpy(w.value), 270.0, rtol=1e-3)


def test_a_row_of_an_embedding_is_a_unit():
    w = keras.Variable(np.ones((3, 4), "float32"), name="embeddings")
    optimizer = AdaptiveGradientClipping(keras.optimizers.SGD(1.0), clip_factor=0.1)
    optimizer.apply([ops.convert_to_tensor([[8.0] * 4, [0.05] * 4, [0.0] * 4])], [w])
    expected = [[0.9] * 4, [0.95] * 4, [1.0] * 4]
    np.testing.assert_allclose(ops.convert_to_numpy(w.value), expected, rtol=1e-5)


def test_a_nan_stays_a_nan():
    assert np.isnan(clipped(np.array([[np.nan], [1.0]]), np.ones((2, 1)))[0, 0])
