"""The trained model that is exported, in a form that runs on any hardware."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kcatalog.recipe import tasks
from kcatalog.recipe.data import Data, DataInfo
from kcatalog.recipe.data.files import some
from kcatalog.recipe.export import signatures
from kcatalog.recipe.export.stepwise import Refused, Stepwise
from kcatalog.recipe.files import keras_file
from kcatalog.recipe.tasks import heads

CUDNN = ("LSTM", "GRU")  # their `get_config` omits the argument `use_cudnn`
READ = (8, 48)  # texts and characters that a model reads in pieces to check its state


@dataclass(frozen=True)
class Original:
    """A trained model that is to be exported.

    Args:
        file: the model's file.
        data: the recipe's data.
        tolerance: the largest difference of outputs that is allowed.
    """

    file: Path
    data: Data
    tolerance: float = 1e-4

    @functools.cached_property
    def model(self) -> keras.Model:
        return self.portable()

    def portable(self, steps: int | None = None) -> keras.Model:
        """Load the model (`portable`), with outputs as its task takes them."""
        return heads.converted(self.task, portable(self.file, steps), self.data)

    @property
    def task(self) -> tasks.Task:
        return tasks.of(self.data)

    @property
    def info(self) -> DataInfo:
        return self.data.info

    @functools.cached_property
    def _read(self) -> Stepwise | Refused:
        texts, length = READ
        codes = np.asarray(some(*self.data.test, texts)[0])[:, :length]
        try:
            stepwise = Stepwise(self.model)
            stepwise.check(self.model, codes, self.tolerance)
        except Refused as e:
            return e
        return stepwise

    @property
    def stepwise(self) -> Stepwise | None:
        """A text model with its states as inputs and outputs; None if that cannot be."""
        found = self._read if self.task.generates else None
        return found if isinstance(found, Stepwise) else None

    @property
    def no_step(self) -> str | None:
        """The reason why a text model has no `stepwise`."""
        return str(self._read) if self.task.generates and not self.stepwise else None

    @property
    def states(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the states; empty without `stepwise`."""
        return self.stepwise.states if self.stepwise else {}

    @property
    def dtype(self) -> str | None:
        """The type of the numbers in requests; None for texts."""
        dtype = self.data.train[0].dtype
        return None if dtype.kind in "OSU" else dtype.name

    def write(
        self, folder: Path, weights: Callable[..., Any] = contextlib.nullcontext
    ) -> dict[Any, Any]:
        """Write a SavedModel (`signatures.write`)."""
        return signatures.write(
            self.model, self.task, self.info, folder, weights, self.stepwise, self.dtype
        )


def portable(model_file: Path, steps: int | None = None) -> keras.Model:
    """Load a `.keras` file so that the model's graph runs on any hardware.

    On a GPU, Keras's recurrent layers use cuDNN's kernels, and a graph with those does not run on a
    CPU. The file is therefore read as if `use_cudnn=False` were in it.

    Args:
        model_file: the trained model.
        steps: unroll the recurrent layers, and read sequences of this length if the length is open.
    """

    def change(layer: dict[Any, Any]) -> dict[Any, Any]:
        config = layer.get("config")
        if "class_name" not in layer or not isinstance(config, dict):
            return layer
        if layer["class_name"] in CUDNN and layer.get("module") == "keras.layers":
            config["use_cudnn"] = False
        if steps and "unroll" in config:
            config["unroll"] = True
        if steps and layer["class_name"] == "InputLayer":
            batch, length, *shape = config["batch_shape"]
            config["batch_shape"] = [batch, length or steps, *shape]
        return layer

    return keras_file.load(model_file, change)
