"""A model trained on a GPU serves on a CPU."""

import keras
import numpy as np
import pytest

import kcatalog
from kcatalog.recipe.export.converted import operations
from kcatalog.recipe.export.original import portable

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def trained(tmp_path):
    """A model with recurrent layers in every place, and its file."""
    inner = keras.Input((None, 4))
    sequence = {"return_sequences": True}
    layers = [
        keras.layers.TimeDistributed(
            keras.Sequential([keras.layers.Reshape((3, 1)), keras.layers.LSTM(2)])
        ),
        keras.layers.Bidirectional(
            keras.layers.GRU(2, **sequence),
            backward_layer=keras.layers.GRU(2, go_backwards=True, **sequence),
        ),
        keras.Model(inner, keras.layers.LSTM(2, **sequence)(inner), name="inner"),
        keras.Sequential([keras.layers.GRU(2, **sequence)]),
        keras.layers.RNN(keras.layers.LSTMCell(2), **sequence),
        kcatalog.layers.LayerNormLSTM(2, **sequence),
        keras.layers.Bidirectional(keras.layers.LSTM(2)),
    ]
    inputs = x = keras.Input((None, 3))
    for layer in layers:
        x = layer(x)
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    model.save(tmp_path / "trained.keras")
    return model, tmp_path / "trained.keras"


def graph(model, steps=None):
    """The model's graph, as a concrete function."""
    import tensorflow as tf

    spec = tf.TensorSpec((None, steps, 3))
    function = tf.function(lambda x: model(x, training=False), autograph=False)
    return function.get_concrete_function(spec)


def test_no_operation_of_cudnn_is_left(trained, monkeypatch):
    """Graphs are traced in the belief that a GPU is at hand."""
    import tensorflow as tf

    model, file = trained
    for listing in ("list_logical_devices", "list_physical_devices"):
        monkeypatch.setattr(tf.config, listing, lambda kind=None: ["a GPU"])
    traced = graph(model).graph.as_graph_def()
    nodes = [*traced.node, *(n for f in traced.library.function for n in f.node_def)]
    assert sum("CudnnRNN" in node.op for node in nodes) >= 7, "the original has one for each layer"
    assert not any("CudnnRNN" in op for op in operations(graph(portable(file))))


@pytest.mark.parametrize("steps", [None, 4])
def test_weights_and_outputs_stay(trained, steps):
    model, file = trained
    copy, x = portable(file, steps), np.random.default_rng(0).normal(size=(2, 4, 3))
    for a, b in zip(copy.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(copy(x), model(x), atol=1e-6)
    assert copy.inputs[0].shape == (None, steps, 3)
    loops = any("While" in op for op in operations(graph(copy, 4)))
    assert loops == (steps is None), "unrolled has no loop"
