import keras
import numpy as np

from kcatalog import layers
from kcatalog.conformance import backend
from tests.layers.recurrent.by_loops import expect_loops
from tests.layers.recurrent.test_ind_rnn_cell import step


def test_reference(rng):
    expect_loops(layers.IndRNN(4, return_sequences=True), step, [4], rng)


def test_the_first_of_many_inputs_reaches_the_last_output_if_u_starts_near_one(rng):
    """The documentation of `recurrent_initializer` says so."""
    steps, x = 150, rng.normal(size=(1, 150, 32)).astype("float32")

    def reached(start):
        """Return the share of the last input's gradient that the first 50 inputs get on average."""
        keras.utils.set_random_seed(0)
        layer = layers.IndRNN(32, recurrent_initializer=start)
        layer.build(x.shape)
        _, (gradient,) = backend.value_and_gradients(lambda x: keras.ops.sum(layer(x)), [x])
        norms = np.linalg.norm(gradient, axis=(0, 2))
        return np.mean(norms[:50]) / norms[-1]

    assert reached(None) == 0
    assert reached(keras.initializers.RandomUniform(0.5 ** (1 / steps), 1.0)) > 0.05
