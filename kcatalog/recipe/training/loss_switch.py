"""A loss for the first epochs, followed by another."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable("kcatalog.recipe", name="WarmUp")  # as saved models say
class SwitchedLoss(keras.losses.Loss):
    """One loss for the first epochs, another one from then on.

    With losses that use only the hardest samples, an untrained model collapses: mapping all
    embeddings to one point lowers the loss fastest. Another loss for the first epochs avoids that.
    The engine switches at the beginning of an epoch, in a resumed run too.

    Args:
        first: the loss of the first epochs.
        then: the loss of all later epochs.
        epochs: the number of epochs with the first loss.
    """

    def __init__(self, first, then, epochs, reduction="sum_over_batch_size", name="warm_up"):
        super().__init__(name=name, reduction=reduction)
        self.first, self.then, self.epochs = first, then, epochs
        self._current = first

    def __call__(self, y_true, y_pred, sample_weight=None):
        return self._current(y_true, y_pred, sample_weight)

    def get_config(self):
        parts = {"first": self.first, "then": self.then}
        serialized = {k: keras.saving.serialize_keras_object(v) for k, v in parts.items()}
        return {**super().get_config(), **serialized, "epochs": self.epochs}

    @classmethod
    def from_config(cls, config):
        parts = {k: keras.saving.deserialize_keras_object(config[k]) for k in ("first", "then")}
        return cls(**{**config, **parts})

    def switch(self, epoch: int) -> bool:
        """Select the loss of this epoch, and return whether it has changed."""
        before, self._current = self._current, self.first if epoch < self.epochs else self.then
        return before is not self._current


def callbacks(model) -> list[keras.callbacks.Callback]:
    """Return the callback that switches a `SwitchedLoss`; none for other losses."""

    def switch(epoch: int, logs: Any) -> None:
        if model.loss.switch(epoch):  # the compiled steps use the loss before
            model.make_train_function(force=True)
            model.make_test_function(force=True)

    switching = isinstance(model.loss, SwitchedLoss)
    return [keras.callbacks.LambdaCallback(on_epoch_begin=switch)] if switching else []
