"""Checks for callbacks."""

from __future__ import annotations

import copy
import functools

import keras
import numpy as np

from kcatalog.conformance import backend
from kcatalog.conformance.subject import Subject, require
from kcatalog.conformance.suite import check


def _train(callbacks, jit_compile=backend.COMPILES) -> list[np.ndarray]:
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(2)])
    model.compile("adam", "mse", jit_compile=jit_compile)
    x, y = rng.normal(size=(16, 3)), rng.normal(size=(16, 2))
    model.fit(x, y, epochs=2, batch_size=4, shuffle=False, verbose=0, callbacks=callbacks)
    return [backend.as_numpy(w) for w in model.weights]


@functools.cache
def _undisturbed() -> list[np.ndarray]:
    return _train([])


@check("callbacks", tag="monitoring")
def weights_untouched(s: Subject):
    """Training ends with the weights it would have without the callback."""
    for a, b in zip(_train([s.make()]), _undisturbed(), strict=True):
        require(np.allclose(a, b, rtol=1e-6, atol=1e-7), "the callback changes training")


@check("callbacks")
def copies(s: Subject):
    """It can be copied before use, as tuners do for each trial."""
    _train([copy.deepcopy(s.make())], backend.JIT)
