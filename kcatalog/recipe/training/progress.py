"""The progress of a training in a terminal: a bar, and a line for each epoch."""

from __future__ import annotations

from typing import Any

import keras
from rich.console import Console
from rich.progress import TextColumn, TimeRemainingColumn

from kcatalog.recipe.terminal import output
from kcatalog.recipe.training.checkpoint import Checkpoint


class Progress(keras.callbacks.Callback):
    """A bar over all epochs, and a line when one ends, green if it is the best so far.

    Keras's own bar is wider than a terminal of 80 columns, which breaks its words. It is a context,
    since Keras tells callbacks nothing of errors.

    Args:
        console: a terminal.
        epochs, steps: of the whole training, and of an epoch.
        checkpoint: knows the best epoch. It must come before in the list of callbacks.
    """

    def __init__(self, console: Console, epochs: int, steps: int, checkpoint: Checkpoint):
        super().__init__()
        self.console, self.checkpoint = console, checkpoint
        self.epochs, self.steps = epochs, steps
        left = TextColumn("left", style="progress.remaining")
        self._bar = output.bar(console, TimeRemainingColumn(), left)
        self._task = self._bar.add_task("Training", total=epochs * steps)

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, *error) -> None:
        self._bar.stop()

    def on_epoch_begin(self, epoch: int, logs: dict[Any, Any] | None = None) -> None:
        self._before = epoch * self.steps
        about = f"Epoch {epoch + 1} of {self.epochs}"
        self._bar.update(self._task, description=about, completed=self._before)

    def on_train_batch_end(self, batch: int, logs: dict[Any, Any] | None = None) -> None:
        self._bar.update(self._task, completed=self._before + batch + 1)

    def on_epoch_end(self, epoch: int, logs: dict[Any, Any] | None = None) -> None:
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in (logs or {}).items())
        style = "green" if self.checkpoint.best_epoch == epoch else ""
        self.console.print(f"Epoch {epoch + 1} of {self.epochs}: {numbers}", style=style)
