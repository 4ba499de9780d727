"""A model trained on a GPU serves on a CPU."""

import keras
import numpy as np
import pytest

import kcatalog
from kcatalog.recipe.export.portable import operations, portable, unrolled

pytestmark = pytest.mark.tensorflow


def nested():
    inputs = keras.Input((None, 3))
    return keras.Model(inputs, keras.layers.LSTM(2)(inputs), name="inner")


LAYERS = {
    "LSTM": lambda: keras.layers.LSTM(2),
    "GRU": lambda: keras.layers.GRU(2),
    "Bidirectional": lambda: keras.layers.Bidirectional(keras.layers.LSTM(2)),
    "Bidirectional, two kinds": lambda: keras.layers.Bidirectional(
        keras.layers.GRU(2), backward_layer=keras.layers.GRU(2, go_backwards=True)
    ),
    "in a model": nested,
    "in a sequence": lambda: keras.Sequential([keras.layers.GRU(2)]),
    "in TimeDistributed": lambda: keras.layers.TimeDistributed(
        keras.Sequential([keras.layers.Reshape((3, 1)), keras.layers.LSTM(2)])
    ),
}
WITHOUT_CUDNN = {
    "RNN of a cell": lambda: keras.layers.RNN(keras.layers.LSTMCell(2)),
    "LayerNormLSTM": lambda: kcatalog.layers.LayerNormLSTM(2),
}


def saved(layer, tmp_path):
    inputs = keras.Input((None, 3))
    model = keras.Model(inputs, keras.layers.Dense(2)(layer(inputs)))
    model.save(tmp_path / "trained.keras")
    return model, tmp_path / "trained.keras"


def traced(model):
    """The operations of the model's graph."""
    import tensorflow as tf

    spec = tf.TensorSpec((None, None, 3))
    function = tf.function(lambda x: model(x, training=False), autograph=False)
    return operations(function.get_concrete_function(spec))


@pytest.fixture
def with_gpu(monkeypatch):
    """Layers that are built, and graphs that are traced, believe that a GPU is at hand."""
    import tensorflow as tf

    for listing in ("list_logical_devices", "list_physical_devices"):
        monkeypatch.setattr(tf.config, listing, lambda kind=None: ["a GPU"])


@pytest.mark.parametrize("name", [*LAYERS, *WITHOUT_CUDNN])
def test_no_operation_of_cudnn_is_left(name, tmp_path, with_gpu):
    model, file = saved({**LAYERS, **WITHOUT_CUDNN}[name](), tmp_path)
    copy = portable(file)
    assert not any("CudnnRNN" in op for op in traced(copy))
    if name in LAYERS:
        assert any("CudnnRNN" in op for op in traced(model)), "the original has it"


@pytest.mark.parametrize("name", [*LAYERS, *WITHOUT_CUDNN])
@pytest.mark.parametrize("read", [portable, lambda file: unrolled(file, steps=4)])
def test_weights_and_outputs_stay(name, read, tmp_path):
    model, file = saved({**LAYERS, **WITHOUT_CUDNN}[name](), tmp_path)
    copy, x = read(file), np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")
    for a, b in zip(copy.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(copy(x), model(x), atol=1e-6)


def test_unrolled_has_no_loop(tmp_path):
    _, file = saved(keras.layers.GRU(2), tmp_path)
    copy = unrolled(file, steps=4)
    assert copy.inputs[0].shape == (None, 4, 3)
    assert not any("While" in op for op in traced_at(copy, 4))
    assert any("While" in op for op in traced_at(portable(file), 4))


def traced_at(model, steps):
    import tensorflow as tf

    function = tf.function(model, autograph=False)
    return operations(function.get_concrete_function(tf.TensorSpec((1, steps, 3))))
