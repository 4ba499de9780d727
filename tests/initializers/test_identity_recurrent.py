import keras
import numpy as np
import pytest

from kcatalog import initializers
from kcatalog.conformance.backend import as_numpy

IdentityRecurrent = initializers.IdentityRecurrent


def reference(units, gates, scale):
    """Le et al.'s identity, entry by entry, for each gate."""
    w = [[0.0] * (units * gates) for _ in range(units)]
    for i in range(units):
        for gate in range(gates):
            w[i][gate * units + i] = scale
    return w


@pytest.mark.parametrize("gates", [1, 3, 4])
def test_reference(gates):
    w = as_numpy(IdentityRecurrent(0.25)((3, 3 * gates)))
    np.testing.assert_array_equal(w, reference(3, gates, 0.25))


def test_an_irnn_adds_up_its_inputs():
    rnn = keras.layers.SimpleRNN(
        2, "relu", recurrent_initializer=IdentityRecurrent(), kernel_initializer="ones"
    )
    x = np.arange(1, 6, dtype="float32").reshape(1, 5, 1)
    np.testing.assert_allclose(as_numpy(rnn(x)), [[15, 15]])


@pytest.mark.parametrize("shape", [(4,), (4, 6), (2, 4, 4)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="IdentityRecurrent: `shape` must be"):
        IdentityRecurrent()(shape)
