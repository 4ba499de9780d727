import functools
from collections.abc import Sequence
from typing import Any

import keras

from kcatalog import checks
from kcatalog.callbacks.averages import averaged_weights
from kcatalog.callbacks.batch_statistics import checked_data
from kcatalog.card import Example, Paper, Part
from kcatalog.registry import component


@component(
    paper=Paper(
        "Averaging Weights Leads to Wider Optima and Better Generalization",
        "Izmailov, Podoprikhin, Garipov, Vetrov, Wilson",
        2018,
        "https://arxiv.org/abs/1803.05407",
        "algorithm 1 and section 3.2, batch normalization",
    ),
    equation="validation and checkpoints: w = average of w; training: w",
    example=Example({"callbacks": [Part("keras.callbacks.EarlyStopping", monitor="loss")]}),
)
class SwapAveragedWeights(keras.callbacks.Callback):
    """Averaged weights for validation and checkpoints, the weights of training in between.

    An optimizer that averages weights puts the average into the model when training ends. Until
    then validation scores are those of other weights, and `ModelCheckpoint` and `EarlyStopping`
    choose by them. Give those callbacks to this one, and they see the averages, too.

    Maths:
        For each validation, and at the end of each epoch: `w ← w̄`, then the callbacks, then back
        to `w`, with `w̄` the average of `StochasticWeightAveraging` or Keras's `use_ema`, `x` of
        `ScheduleFree`, or the slow weights of `Lookahead`.

    Args:
        callbacks: List of callbacks whose `on_epoch_end` sees the averages: `ModelCheckpoint`,
            `EarlyStopping`, `BestCheckpoints`. Do not give them to `fit` a second time.
        data: Training data by which batch normalization's statistics are re-estimated each time,
            as in `ReestimateBatchNorm`, or None to use those of training.
        steps: How many batches of `data` to use, an integer in [1, inf), or None for all.
        batch_size: The size of batches where `data` is arrays: an integer in [1, inf).

    Shapes:
        One copy of the trainable weights while the averages are in the model.

    Behaviour:
        The weights of training come back also if an exception or Ctrl-C ends a validation or one
        of the callbacks: `fit`'s calls of `model.evaluate` are wrapped for it. Training is
        what it would be without this callback. Where the optimizer averages nothing, or
        not yet, the weights stay as they are. Of a `MultiOptimizer`, what it puts in at the end of
        training is seen. Batch hooks are not forwarded to `callbacks`. When training ends, the
        optimizer's averages are final, with training's batch normalization: add
        `ReestimateBatchNorm`. To evaluate, save or export at another time, use
        `with kcatalog.callbacks.averaged_weights(model):`. Unlike Keras's `SwapEMAWeights` it
        touches nothing of the optimizer.

    Example:
        With a rate of 1, `w` goes from 0 to 2 and back; its average over two epochs is 1:

        >>> import numpy as np
        >>> from kcatalog.optimizers import StochasticWeightAveraging
        >>> layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
        >>> model = keras.Sequential([keras.Input((1,)), layer])
        >>> sgd = keras.optimizers.SGD(1.0)
        >>> model.compile(StochasticWeightAveraging(sgd, start_step=1, average_period=1), "mse")
        >>> x, y = np.ones((1, 1)), np.ones((1, 1))
        >>> swap = SwapAveragedWeights()
        >>> history = model.fit(x, y, epochs=2, verbose=0, validation_data=(x, y), callbacks=[swap])
        >>> history.history["val_loss"]
        [1.0, 0.0]
    """

    def __init__(
        self,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        data: Any = None,
        steps: int | None = None,
        batch_size: int = 32,
    ):
        super().__init__()
        rule, fix = "a list of callbacks", "For example: [keras.callbacks.EarlyStopping()]."
        checks.instance(self, "callbacks", callbacks, list | tuple, rule, fix)
        for callback in callbacks:
            checks.instance(self, "callbacks", callback, keras.callbacks.Callback, rule, fix)
        self.callbacks = callbacks
        self.data = checked_data(self, data, optional=True)
        self.steps = checks.integer(self, "steps", steps, "[1, inf)", optional=True)
        self.batch_size = checks.integer(self, "batch_size", batch_size, "[1, inf)")

    def set_params(self, params: dict[str, Any]) -> None:
        super().set_params(params)
        self._each("set_params", params)

    def set_model(self, model: keras.Model) -> None:
        super().set_model(model)
        self._each("set_model", model)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        vars(self.model).pop("evaluate", None)  # of a training that an exception has ended
        evaluate = self.model.evaluate

        @functools.wraps(evaluate)
        def evaluate_averages(*args, **kwargs):
            if self not in getattr(kwargs.get("callbacks"), "callbacks", ()):  # not by this `fit`
                return evaluate(*args, **kwargs)
            with self._averages():
                return evaluate(*args, **kwargs)

        vars(self.model)["evaluate"] = evaluate_averages
        self._each("on_train_begin", logs)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._each("on_epoch_begin", epoch, logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.callbacks:
            with self._averages():
                self._each("on_epoch_end", epoch, logs)

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._each("on_test_begin", logs)

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        self._each("on_test_end", logs)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        vars(self.model).pop("evaluate", None)
        self._each("on_train_end", logs)

    def _averages(self):
        return averaged_weights(self.model, self.data, self.steps, self.batch_size)

    def _each(self, hook, *args):
        for callback in self.callbacks:
            getattr(callback, hook)(*args)
