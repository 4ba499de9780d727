from typing import Any

import keras

from kcatalog import checks
from kcatalog.callbacks import periodic
from kcatalog.callbacks.batch_statistics import checked_data, reestimate_batch_norm
from kcatalog.card import Example, Paper
from kcatalog.registry import component


@component(
    paper=Paper(
        'Rethinking "Batch" in BatchNorm',
        "Wu, Johnson",
        2021,
        "https://arxiv.org/abs/2105.07576",
        "section 3, precise batch normalization",
    ),
    example=Example({"data": ([[1.0, 2.0, 3.0], [3.0, 1.0, 2.0]],), "steps": 1, "batch_size": 2}),
)
class ReestimateBatchNorm(keras.callbacks.Callback):
    """Re-estimated batch normalization: exact statistics of the final weights, after training.

    In training, batch normalization follows its inputs by a moving average, which lags behind
    weights that move, and which no weights have that are averaged at the end. Use it with
    `StochasticWeightAveraging`, `ScheduleFree`, Keras's `use_ema`, and after short trainings
    with a momentum that is too high. `SwapAveragedWeights` has the same for each validation.

    Maths:
        `μ = Σ n_b μ_b / Σ n_b` and `σ² = Σ n_b (σ_b² + (μ_b - μ)²) / Σ n_b` over batches `b` of
        `n_b` samples, with `μ_b` and `σ_b²` the statistics by which the batch is normalized.

    Args:
        data: Training data: an array, a tuple `(x, y)` or `(x,)` of arrays, or a dataset that can
            be read several times. Only `x` is used. Augment it as in training.
        steps: How many batches to use, an integer in [1, inf), or None for all of them. A few
            thousand samples are enough.
        batch_size: The size of batches where `data` is arrays: an integer in [1, inf).

    Shapes:
        The two moving statistics of each layer keep their shapes.

    Behaviour:
        Acts when training ends, after Keras has put averages in. Callbacks that change weights
        then, as `EarlyStopping(restore_best_weights=True)` does, belong before it. The model is
        called eagerly with `training=True`, so that layers see what training showed them, dropout
        included; weights, seeds and other states are put back. On PyTorch the global generator,
        which dropout draws from, moves on. Layers that are frozen are left alone. Of a layer that
        the model calls several times, the last call counts; of `GhostBatchNormalization` the last
        virtual batch of each batch. Differs from TensorFlow Addons's
        `fit_bn`, which runs the moving average over more data, and from PyTorch's `update_bn`,
        which leaves out how batches differ from each other. `layers` counts the layers.
        `kcatalog.callbacks.reestimate_batch_norm(model, data)` does the same without `fit`.

    Example:
        Of 1, 2 and 6 the mean is 3 and the variance `(4 + 1 + 9) / 3`:

        >>> import numpy as np
        >>> layer = keras.layers.BatchNormalization()
        >>> model = keras.Sequential([keras.Input((1,)), layer])
        >>> model.compile("sgd", "mse")
        >>> x = np.array([[1.0], [2.0], [6.0]])
        >>> history = model.fit(x, x, verbose=0, callbacks=[ReestimateBatchNorm(x)])
        >>> print(f"{float(layer.moving_mean[0]):.2f} {float(layer.moving_variance[0]):.2f}")
        3.00 4.67
    """

    def __init__(self, data: Any, steps: int | None = None, batch_size: int = 32):
        super().__init__()
        self.data = checked_data(self, data)
        self.steps = checks.integer(self, "steps", steps, "[1, inf)", optional=True)
        self.batch_size = checks.integer(self, "batch_size", batch_size, "[1, inf)")
        self.layers = 0

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        periodic.sync(self.model)
        self.layers = reestimate_batch_norm(self.model, self.data, self.steps, self.batch_size)
