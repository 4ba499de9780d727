"""Theory of networks and losses: layers, loops, shared weights, overfitting, aims of losses."""

import keras
import numpy as np
import pytest
from keras import ops

from docs.theory import losses as experiments
from docs.theory import networks, regularization
from kcatalog import layers
from kcatalog.conformance import backend


@pytest.mark.slow
@pytest.mark.once
def test_a_hidden_layer_learns_what_a_neuron_cannot():
    """No line separates the exclusive or: a neuron gets three corners of four at most."""
    assert networks.right(networks.classifier(0)) <= 0.75
    assert networks.right(networks.classifier(4)) == 1.0


@pytest.mark.parametrize(("activation", "same"), [("linear", True), ("relu", False)])
def test_layers_without_activations_are_one_layer(rng, activation, same):
    x = rng.normal(size=(6, 3)).astype("float32")
    stack = [keras.layers.Dense(n, activation, use_bias=False) for n in (8, 8)]
    stack.append(keras.layers.Dense(2, use_bias=False))
    y = x
    for layer in stack:
        y = layer(y)
    product = np.linalg.multi_dot([layer.get_weights()[0] for layer in stack])
    assert np.allclose(backend.as_numpy(y), x @ product, atol=1e-4) == same


def test_a_recurrent_network_reads_the_order_of_its_inputs(rng):
    x = rng.normal(size=(2, 9, 3)).astype("float32")
    turned = x[:, ::-1].copy()
    average, looped = keras.layers.GlobalAveragePooling1D(), keras.layers.SimpleRNN(4)
    np.testing.assert_allclose(
        backend.as_numpy(average(x)), backend.as_numpy(average(turned)), atol=1e-6
    )
    assert np.abs(backend.as_numpy(looped(x)) - backend.as_numpy(looped(turned))).min() > 1e-3


def test_a_recurrent_network_takes_any_length(rng):
    """The state after one half, handed on, gives the end of the whole."""
    x, layer = rng.normal(size=(2, 12, 3)).astype("float32"), keras.layers.GRU(4)
    half = layer(x[:, :6])
    whole = backend.as_numpy(layer(x))
    np.testing.assert_allclose(
        backend.as_numpy(layer(x[:, 6:], initial_state=half)), whole, atol=1e-5
    )
    assert layer.count_params() == 3 * (3 * 4 + 4 * 4 + 2 * 4)


@pytest.mark.slow
def test_epochs_of_descent_lower_the_loss():
    x = np.linspace(-3, 3, 64, dtype="float32")[:, None]
    network = [keras.layers.Dense(16, "tanh"), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((1,)), *network])
    model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=backend.JIT)
    loss = model.fit(x, np.sin(x), 4, epochs=20, verbose=0).history["loss"]
    assert loss[-1] < 0.2 * loss[0]


@pytest.mark.parametrize("side", [8, 28])
def test_a_convolution_shares_its_weights(side):
    """Its weights do not grow with the image, unlike those of a dense layer."""
    convolution = keras.layers.Conv2D(8, 3, padding="same")
    convolution.build((None, side, side, 1))
    assert convolution.count_params() == 8 * 3 * 3 + 8


def test_a_filter_finds_edges():
    """The difference of neighbours is large at an edge across it and zero along it."""
    image = np.zeros((1, 8, 8, 1), "float32")
    image[:, :, 4:] = 1
    kernels = np.zeros((3, 3, 1, 2), "float32")
    kernels[1, :, 0, 0] = kernels[:, 1, 0, 1] = [-1, 0, 1]
    found = backend.as_numpy(ops.conv(image, kernels, padding="valid"))[0]
    np.testing.assert_allclose(found[:, :, 0], np.tile([0, 0, 1, 1, 0, 0], (6, 1)), atol=1e-6)
    np.testing.assert_allclose(found[:, :, 1], 0, atol=1e-6)


def test_pooling_saves_computation():
    """Half of both sides is a quarter of the places."""
    y = keras.layers.MaxPooling2D(2)(np.zeros((1, 64, 64, 1), "float32"))
    assert y.shape[1] * y.shape[2] * 4 == 64 * 64
    blurred = layers.BlurPooling2D(3)(np.zeros((1, 64, 64, 1), "float32"))
    assert blurred.shape == y.shape


@pytest.mark.slow
@pytest.mark.once
def test_few_samples_are_learned_by_heart():
    numbers, _ = regularization.few_samples_are_learned_by_heart()
    assert 0.3 < numbers["few"] < 0.8 < 0.95 < numbers["many"]
    assert numbers["right"] > 0.98


@pytest.mark.slow
@pytest.mark.once
def test_dropout_helps_where_samples_are_few():
    numbers, _ = regularization.dropout_helps_where_samples_are_few()
    assert numbers["dropout"] > numbers["plain"] + 0.005


@pytest.mark.slow
@pytest.mark.once
def test_batch_normalization_speeds_up_training():
    """Ten sigmoid layers; shifting noise behind each normalization takes little of it away."""
    numbers, _ = regularization.batch_normalization_speeds_up_training()
    assert numbers["plain"] < 0.3
    assert min(numbers["normalized"], numbers["unsettled"]) > 0.8


def test_squared_error_aims_at_the_mean_and_absolute_error_at_the_median():
    targets = np.array([1, 2, 3, 4, 40.0], "float32")[:, None]
    for loss, aim in (("mean_squared_error", 10.0), ("mean_absolute_error", 3.0)):
        function = keras.losses.get(loss)
        values = {
            guess: backend.as_numpy(function(targets, np.full_like(targets, guess))).mean()
            for guess in (2.5, 3.0, 3.5, 9.5, 10.0, 10.5)
        }
        assert min(values, key=values.get) == aim


def test_cross_entropy_is_least_at_the_true_probabilities():
    """There it is the entropy; elsewhere the Kullback-Leibler divergence comes on top."""
    y, loss = np.array([1] * 7 + [0] * 3, "float32")[:, None], keras.losses.BinaryCrossentropy()
    for p in (0.5, 0.7, 0.9):
        value = float(backend.as_numpy(loss(y, np.full_like(y, p))))
        divergence = 0.7 * np.log(0.7 / p) + 0.3 * np.log(0.3 / (1 - p))
        entropy = -0.7 * np.log(0.7) - 0.3 * np.log(0.3)
        assert value == pytest.approx(entropy + divergence, rel=1e-5)


@pytest.mark.slow
@pytest.mark.once
def test_triplet_loss_brings_a_class_together():
    numbers, _ = experiments.triplet_loss_brings_a_class_together()
    assert numbers["after"] < 0.5 < numbers["before"]
