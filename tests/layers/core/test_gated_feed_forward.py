import math

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from tests.golden.load import golden
from tests.layers.peer_weights import check_peer

GATES = {
    "silu": lambda z: z / (1 + math.exp(-z)),
    "gelu": lambda z: z * (1 + math.erf(z / math.sqrt(2))) / 2,
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)),
    None: lambda z: z,
}


@pytest.mark.parametrize("activation", GATES)
def test_reference(rng, activation):
    x = rng.normal(size=(2, 3)).astype("float32")
    layer = layers.GatedFeedForward(4, activation=activation)
    layer.build(x.shape)
    w, v, w2 = (rng.normal(size=a.shape).astype("float32") for a in layer.weights[:3])
    layer.set_weights([w, v, w2, *layer.get_weights()[3:]])
    wanted = np.zeros_like(x)
    for n in range(2):
        for j in range(4):
            z, u = (sum(x[n, i] * kernel[i, j] for i in range(3)) for kernel in (w, v))
            wanted[n] += GATES[activation](z) * u * w2[j]
    y = ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "activation"), [("timm_swiglu", "silu"), ("timm_geglu", "gelu")])
def test_golden(name, activation):
    check_peer(layers.GatedFeedForward(7, activation, use_bias=True), golden(name), "x")


def test_equal_initializers_draw_different_kernels():
    layer = layers.GatedFeedForward(3)
    layer.build((None, 3))
    gate, up, _ = layer.get_weights()[:3]
    assert not np.array_equal(gate, up)


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method:UserWarning")
def test_kernels_are_found_for_quantization(rng):
    x = rng.normal(size=(4, 8)).astype("float32")
    inputs = keras.Input((8,))
    model = keras.Model(inputs, layers.GatedFeedForward(16)(inputs))
    y = ops.convert_to_numpy(model(x))
    model.quantize("int8")
    np.testing.assert_allclose(ops.convert_to_numpy(model(x)), y, atol=0.1 * np.std(y))
    assert sum("int8" in str(w.dtype) for w in model.weights) == 3
