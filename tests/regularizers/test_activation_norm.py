import keras
import numpy as np
import pytest

from kcatalog import regularizers
from kcatalog.conformance.backend import as_numpy


def reference(h, factor):
    """The mean square of all outputs, one at a time."""
    return factor * sum(v**2 for v in h.astype("float64").ravel()) / h.size


@pytest.mark.parametrize("shape", [(4, 3), (2, 5, 3), (2, 5, 4, 3)])
def test_reference(rng, shape):
    h = rng.normal(size=shape).astype("float32")
    penalty = as_numpy(regularizers.ActivationNorm(0.3)(h))
    np.testing.assert_allclose(penalty / shape[0], reference(h, 0.3), rtol=1e-5)


def test_in_a_recurrent_layer_keras_divides_it_by_the_batch(rng):
    penalty = regularizers.ActivationNorm(2.0)
    gru = keras.layers.GRU(4, return_sequences=True, activity_regularizer=penalty)
    h = as_numpy(gru(rng.normal(size=(3, 5, 2)).astype("float32")))
    np.testing.assert_allclose(as_numpy(gru.losses[0]), reference(h, 2.0), rtol=1e-5)
