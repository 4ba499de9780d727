import itertools

import keras
import numpy as np
import pytest

from kcatalog import regularizers
from kcatalog.conformance.backend import as_numpy

TemporalActivation = regularizers.TemporalActivation


def reference(h, factor):
    """The mean square of what changes from one step to the next, one sample at a time."""
    squares = []
    for sample in h.astype("float64"):
        for now, following in itertools.pairwise(sample):
            squares.extend(np.square(following - now).ravel())
    return factor * sum(squares) / len(squares)


@pytest.mark.parametrize("shape", [(4, 2, 3), (2, 5, 3), (2, 5, 4, 3)])
def test_reference(rng, shape):
    h = rng.normal(size=shape).astype("float32")
    penalty = as_numpy(TemporalActivation(0.3)(h))
    np.testing.assert_allclose(penalty / shape[0], reference(h, 0.3), rtol=1e-5)


def test_in_a_recurrent_layer_keras_divides_it_by_the_batch(rng):
    lstm = keras.layers.LSTM(4, return_sequences=True, activity_regularizer=TemporalActivation(2.0))
    h = as_numpy(lstm(rng.normal(size=(3, 5, 2)).astype("float32")))
    np.testing.assert_allclose(as_numpy(lstm.losses[0]), reference(h, 2.0), rtol=1e-5)


def test_a_single_step_pays_nothing_and_a_vector_is_refused(rng):
    assert as_numpy(TemporalActivation()(np.ones((2, 1, 3), "float32"))) == 0
    with pytest.raises(ValueError, match="return_sequences=True"):
        TemporalActivation()(np.ones((2, 3), "float32"))
