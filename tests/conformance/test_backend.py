import keras
import numpy as np
import pytest

from kcatalog.conformance import backend

on_jax = pytest.mark.skipif(backend.NAME != "jax", reason="the others compile no eager call")


def scaled(factor, traced):
    def function(x):
        traced.append(factor)
        return factor * x

    return backend.made_from(function, "scaled", ("factor", factor))


@on_jax
def test_parts_made_alike_share_a_program():
    traced = []
    assert [float(backend.call(scaled(3.5, traced), 2.0)) for _ in range(2)] == [7.0, 7.0]
    assert traced == [3.5]


def test_parts_made_otherwise_do_not():
    assert [float(backend.call(scaled(f, []), 2.0)) for f in (0.5, 1.5)] == [1.0, 3.0]


def test_constants_are_arguments_of_the_shared_gradient():
    def value(x, y):
        return keras.ops.sum(x * y)

    for y in (np.array([1.0, 2.0], "float32"), np.array([3.0, 4.0], "float32")):
        x = np.ones(2, "float32")
        _, (gradient,) = backend.value_and_gradients(value, [x], [backend.ops.convert_to_tensor(y)])
        np.testing.assert_array_equal(gradient, y)


def test_a_layers_state_goes_on():
    layer = keras.layers.Dropout(0.5, seed=1)
    x = keras.ops.ones((4, 100))
    layer.build(x.shape)
    first, second = (
        backend.as_numpy(backend.call_layer(layer, x, training=True)) for _ in range(2)
    )
    assert not np.array_equal(first, second)
