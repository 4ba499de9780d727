from typing import Any

import keras

from kcatalog import checks
from kcatalog.callbacks.periodic import sync
from kcatalog.card import Example, Paper
from kcatalog.registry import component


@component(
    paper=Paper(
        "Mixed Precision Training",
        "Micikevicius, Narang, Alben, Diamos, Elsen, Garcia, Ginsburg, Houston, Kuchaiev et al.",
        2018,
        "https://arxiv.org/abs/1710.03740",
        "section 3.2, on skipped updates",
    ),
    equation="stop if `skipped_in_a_row` ≥ `limit`",
    example=Example({"every_steps": 2}),
)
class StopWhenSkipping(keras.callbacks.Callback):
    """End of a training in which `SkipNonFinite` skips too many steps in a row.

    A compiled step cannot raise on every backend, so `fit` would go on skipping to the end, with
    the weights of the last good step. This callback asks the optimizer now and then. It costs one
    number from the device each time.

    Maths:
        After every `every_steps` training steps, and after each epoch, `fit` ends with an error
        if `skipped_in_a_row ≥ limit` of the optimizer.

    Args:
        every_steps: Training steps from one look to the next, an integer in [1, inf), or None to
            look after each epoch only.

    Shapes:
        No data.

    Behaviour:
        Raises the `FloatingPointError` of `SkipNonFinite.check()`. It finds the wrapper wherever
        it stands: inside of other wrappers, of `LossScaleOptimizer` or `MultiOptimizer`. With
        another optimizer it does nothing. Weights stay those of the last good step.

    Example:
        All four batches hold a NaN, and three in a row are one too many:

        >>> import numpy as np
        >>> from kcatalog.optimizers import SkipNonFinite
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile(SkipNonFinite("sgd", limit=3), "mse")
        >>> x = np.full((4, 1), np.nan)
        >>> callback = StopWhenSkipping()
        >>> try:
        ...     history = model.fit(x, x, batch_size=1, verbose=0, callbacks=[callback])
        ... except FloatingPointError as error:
        ...     print(str(error).partition(" hold")[0])
        SkipNonFinite: the gradients of ... steps in a row
    """

    def __init__(self, every_steps: int | None = None):
        super().__init__()
        self.every_steps = checks.integer(
            self, "every_steps", every_steps, "[1, inf)", optional=True
        )
        self._step = 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._step += 1
        if self.every_steps and self._step % self.every_steps == 0:
            self._look()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._look()

    def _look(self):
        found = list(_skipping(self.model.optimizer))
        if found:
            sync(self.model)
        for optimizer in found:
            optimizer.check()


def _skipping(optimizer):
    """Yield the optimizers, inside of this one or itself, that count skipped steps."""
    if hasattr(optimizer, "skipped_in_a_row"):
        yield optimizer
    inside = [getattr(optimizer, name, None) for name in ("inner", "inner_optimizer")]
    for one in [*inside, *getattr(optimizer, "optimizers", ())]:
        if one is not None:
            yield from _skipping(one)
