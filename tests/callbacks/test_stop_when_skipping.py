import keras
import numpy as np
import pytest

from kcatalog.callbacks import StopWhenSkipping
from kcatalog.optimizers import GradientCentralization, SkipNonFinite


def fit(bad, optimizer, every_steps=None):
    """Train on ten batches of one sample, of which some are NaN; return the model."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer, "mse")
    x = np.ones((10, 2), "float32")
    x[bad] = np.nan
    callbacks = [StopWhenSkipping(every_steps)]
    model.fit(x, x[:, :1] * 0, batch_size=1, shuffle=False, verbose=0, callbacks=callbacks)
    return model


def test_reference_is_the_limit():
    model = fit([2, 3, 8, 9], SkipNonFinite("sgd", limit=3))
    assert int(model.optimizer.skipped) == 4
    with pytest.raises(FloatingPointError, match="3 steps in a row"):
        fit([7, 8, 9], GradientCentralization(SkipNonFinite("sgd", limit=3)))


def test_looks_within_an_epoch():
    if keras.backend.backend() != "torch":  # there, each step is eager and raises by itself
        fit([2, 3, 4], SkipNonFinite("sgd", limit=3))  # over when the epoch ends
    with pytest.raises(FloatingPointError, match="the last good step"):
        fit([2, 3, 4], SkipNonFinite("sgd", limit=3), every_steps=5)
