import itertools

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.optimizers import LayerwiseDecay
from tests.golden.load import golden
from tests.optimizers.paths import assert_same_paths
from tests.optimizers.problems import paths


def in_turn():
    """Return a function that gives the weights the depths 0, 1, ... in turn."""
    depths = itertools.count()
    return lambda path: next(depths)


def reference(start, lr=0.0625, momentum=0.75, decay=0.0625):
    """SGD with momentum and decoupled weight decay, whose rate halves from weight to weight."""
    weights = [list(w.ravel()) for w in start]
    momenta = [[0.0] * len(w) for w in weights]

    def step(gradients):
        for depth, (w, m, g) in enumerate(zip(weights, momenta, gradients, strict=True)):
            rate = lr * 0.5**depth
            for i, g_i in enumerate(g.ravel()):
                m[i] = momentum * m[i] - rate * g_i
                w[i] += m[i] - rate * decay * w[i]
        return [np.reshape(w, s.shape) for w, s in zip(weights, start, strict=True)]

    return step


def test_reference():
    def make():
        inner = keras.optimizers.SGD(0.0625, 0.75, weight_decay=0.0625)
        return LayerwiseDecay(inner, 0.5, in_turn())

    assert_same_paths(make, paths(reference))


def test_golden():
    def make():
        inner = keras.optimizers.AdamW(0.0625, 0.0625, 0.75, 1 - 2**-10, epsilon=1e-14)
        return LayerwiseDecay(inner, 0.5, in_turn())

    assert_same_paths(make, golden("torch_layerwise_adamw"))


def attention_model():
    x = inputs = keras.Input((3, 4))
    x = keras.layers.Dense(4, use_bias=False, name="embed")(x)
    x = keras.layers.MultiHeadAttention(1, 2, use_bias=False, name="attend")(x, x)
    return keras.Model(inputs, keras.layers.Dense(1, name="head")(x))


def test_layers_in_their_order():
    model = attention_model()
    optimizer = LayerwiseDecay(keras.optimizers.SGD(1.0), 0.5)
    optimizer.build(model.trainable_variables)
    assert optimizer._scales == [0.25, *[0.5] * 4, 1.0, 1.0]


def test_patterns_name_blocks():
    model = attention_model()
    blocks = ["embed|attend", "head"]
    optimizer = LayerwiseDecay(keras.optimizers.SGD(1.0), 0.5, layers=blocks)
    optimizer.build(model.trainable_variables)
    assert optimizer._scales == [*[0.5] * 5, 1.0, 1.0]
    optimizer = LayerwiseDecay(keras.optimizers.SGD(1.0), 0.5, layers=["embed", "attend"])
    with pytest.raises(ValueError, match="`layers` must be patterns that match 'head/kernel'"):
        optimizer.build(model.trainable_variables)


def test_decay_without_a_gradient_is_scaled_and_averaged():
    deep, last = (keras.Variable([1.0], name=name) for name in ("deep", "last"))
    inner = keras.optimizers.SGD(0.5, weight_decay=0.5, use_ema=True, ema_momentum=0.0)
    optimizer = LayerwiseDecay(inner, 0.5, layers=["deep", "last"])
    optimizer.apply([ops.zeros(1), ops.zeros(1)], [deep, last])
    optimizer.finalize_variable_values([deep, last])
    moved = [float(ops.convert_to_numpy(v.value)[0]) for v in (deep, last)]
    np.testing.assert_allclose(moved, [0.875, 0.75])
