"""The time of learning-rate schedules: the step as a number to compute with."""

import keras
from keras import ops

from kcatalog.types import Tensor


def step_time(step: Tensor) -> Tensor:
    """Return a step, a number or an integer tensor, in Keras's `floatx`, float32 at least.

    A schedule whose arguments are Python numbers then computes in this precision throughout.

    >>> keras.backend.standardize_dtype(step_time(3).dtype)
    'float32'
    """
    dtype = keras.config.floatx()
    return ops.cast(step, dtype if dtype == "float64" else "float32")


def share(t: Tensor, start: float, end: float) -> Tensor:
    """Return the share of the time from `start` to `end` that has passed at `t`, in [0, 1].

    >>> [float(share(ops.convert_to_tensor(t), 2, 6)) for t in (0.0, 3.0, 9.0)]
    [0.0, 0.25, 1.0]
    """
    return ops.clip((t - start) / (end - start), 0, 1)
