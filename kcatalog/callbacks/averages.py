"""Averaged weights in a model for a while."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from kcatalog.callbacks import periodic
from kcatalog.callbacks.batch_statistics import batch_norms, reestimate_batch_norm
from kcatalog.optimizers.wrappers.wrapper import Wrapper


@contextlib.contextmanager
def averaged_weights(
    model: keras.Model, data: Any = None, steps: int | None = None, batch_size: int = 32
) -> Iterator[None]:
    """Let the model hold its optimizer's averages in a `with` block, and training's after it.

    Averages are those of `StochasticWeightAveraging`, `ScheduleFree` and other wrappers, the slow
    weights of `Lookahead`, and Keras's `use_ema`. Where the optimizer keeps none, or has not
    stepped yet, the weights stay as they are. The weights of training come back however the block
    ends.

    Args:
        model: a compiled model.
        data: training data to re-estimate batch normalization's statistics by, for the block; None
            keeps those of training. `reestimate_batch_norm` takes it, `steps` and `batch_size`.
        steps: how many batches of it to use; None for all.
        batch_size: the size of batches where it is arrays.

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    >>> model.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5))
    >>> model.optimizer.build(model.trainable_variables)
    >>> kernel = model.trainable_variables[0]
    >>> for _ in range(3):
    ...     model.optimizer.apply([ops.ones((1, 1))])
    >>> last = float(kernel[0, 0])
    >>> with averaged_weights(model):
    ...     print(f"{float(kernel[0, 0]) - last:.3f}")
    0.075
    >>> float(kernel[0, 0]) == last
    True
    """
    periodic.sync(model)
    optimizer = model.optimizer
    if not (isinstance(optimizer, keras.optimizers.Optimizer) and optimizer.built):
        yield
        return
    weights = model.trainable_variables
    kept = [(v, ops.copy(ops.stop_gradient(v))) for v in weights]
    if data is not None:
        statistics = [s for b in batch_norms(model) for s in (b.moving_mean, b.moving_variance)]
        kept += [(v, np.array(ops.convert_to_numpy(v))) for v in statistics]
    try:
        _put_averages(optimizer, weights)
        if data is not None:
            reestimate_batch_norm(model, data, steps, batch_size)
        yield
    finally:
        periodic.sync(model)
        for variable, value in kept:
            variable.assign(value)


def _put_averages(optimizer, weights):
    while isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    put = optimizer.finalize_variable_values
    (optimizer.put_averages if isinstance(optimizer, Wrapper) else put)(weights)
