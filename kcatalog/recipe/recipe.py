"""A recipe: data, model and what may be tuned; the engine does the rest."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kcatalog.recipe.data import Data, Source

if TYPE_CHECKING:
    from kcatalog.recipe.tasks import Task


@dataclass(frozen=True)
class Recipe:
    """The declaration of a recipe script.

    Args:
        name: names the run directories and the export, such as "image_cnn".
        source: where the data come from (`kcatalog.recipe.data`).
        build: `build(hp, data)` returns a compiled model. It takes the raw input, an
            `Input(..., name=data.input_name)`, preprocesses it in layers of its own, and ends
            in the outputs that the task's docstring names, such as logits (batch, classes) for
            `tasks.Classification`. What it draws from `hp` is tuned (`kcatalog.recipe.tuning`). A
            hyperparameter "batch_size" replaces the argument below, and "samples_per_class" the 4
            samples of a class in a batch of `tasks.Embedding`. It must not use `data.test`.
        baseline: `baseline(data)` returns its name and its score on `data.test`, by the task's
            measure.
        epochs: the final training's length; the best epoch by validation is kept.
        trials: how many sets of hyperparameters are tried. The first is the defaults.
        trial_epochs: epochs per trial.
        batch_size: samples per step.
        objective: what trials and epochs are compared by, on the validation split. By default
            the task's, such as "val_accuracy". The direction of Keras's and kcatalog's metrics is
            known by their names; state it for others, as in ("val_profit", "max").
        layout: for `--model-parallel`: which weights are split, as a pattern of the weight's path
            and what each of its axes is split among: "batch", "model" or None. By default
            kernels and embeddings that are matrices, along their last axis.
        measures: `measures(model)` returns further numbers about the trained model by name, such as
            its sparsity. `evaluate` prints and stores them beside the score.
        task: a `kcatalog.recipe.tasks.Task`, yours perhaps; by default the source's own: images and
            speech are classified, texts continued, series forecast.
    """

    name: str
    source: Source
    build: Callable[..., Any]
    baseline: Callable[[Data], tuple[str, float]]
    epochs: int = 20
    trials: int = 3
    trial_epochs: int = 5
    batch_size: int = 32
    objective: str | tuple[str, str] | None = None
    layout: dict[str, tuple[Any, ...]] | None = None
    measures: Callable[..., Any] | None = None
    task: Task | None = None

    def load(
        self, data: str | None = None, seed: int = 0, settings: dict[Any, Any] | None = None
    ) -> Data:
        """Return the source's data (`Source.load`), for this recipe's task.

        Args:
            data, seed: as for the source.
            settings: values of the source's options; those of a run may stand beside them.
        """
        source = self.source.configured(settings or {})
        loaded = source.load(data, seed)
        if not self.task:
            return loaded
        if self.task.name != loaded.task:
            source.check_task(loaded, self.task.name)
        return replace(loaded, task=self.task)

    @property
    def script(self) -> str:
        """The program for another process of this recipe: the one that runs now, if the
        recipe stands in it, else the file of its `build`."""
        program = vars(sys.modules["__main__"])
        if any(value is self for value in program.values()) and "__file__" in program:
            return program["__file__"]
        return inspect.getfile(self.build)

    def main(self) -> None:
        """Run the command line of this recipe."""
        from kcatalog.recipe.commands import cli
        from kcatalog.recipe.terminal import stopping

        code = cli.run(self)
        if code in stopping.CODES:
            stopping.leave(code)
        raise SystemExit(code)
