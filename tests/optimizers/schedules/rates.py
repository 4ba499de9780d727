"""Compares the rates of a schedule with expected ones, in both precisions."""

import keras
import numpy as np
from keras import ops

from kcatalog.conformance import backend


def assert_same_rates(schedule, expected):
    """Require the rates at the steps 0, 1, ... to be those expected.

    Our schedules are computed for each step by itself, so all steps may be asked for at once.
    """
    exact = 1e-7 if keras.backend.backend() == "jax" else 1e-12  # Keras's cos is float32 there
    for dtype, tolerance in (("float32", 2e-6), ("float64", exact)):
        keras.config.set_floatx(dtype)
        try:
            with backend.float64():
                steps = ops.convert_to_tensor(np.arange(len(expected)), "int32")
                rates = ops.convert_to_numpy(schedule(steps))
        finally:
            keras.config.set_floatx("float32")
        np.testing.assert_allclose(rates, expected, rtol=tolerance, atol=tolerance, err_msg=dtype)
