"""The direction of a metric, as Keras's own callbacks take it."""

import math

import keras

from kcatalog import checks


def higher_is_better(callback: keras.callbacks.Callback, monitor: str, mode: str) -> bool:
    """Return whether higher values of a metric of the callback's model are better.

    Keras has no public name for the rule, so its `EarlyStopping` is asked which of two values it
    holds for the best.
    """
    if mode != "auto":
        return mode == "max"
    judge = keras.callbacks.EarlyStopping(monitor, patience=math.inf)
    judge.set_model(callback.model)
    judge.on_train_begin()
    try:
        for epoch, value in enumerate((0.0, 1.0)):
            judge.on_epoch_end(epoch, {monitor: value})
    except ValueError as e:
        rule = f'"min" or "max" for {monitor!r}, whose direction Keras does not know'
        raise checks.error(callback, "mode", rule, mode) from e
    return judge.best == 1.0
