"""A recipe: data, model and what may be tuned; the engine does the rest."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass

from kcatalog.recipe.data import Data, Source


@dataclass(frozen=True)
class Recipe:
    """What a recipe script declares.

    Args:
        name: names the run directories and the export, such as "image_cnn".
        source: where the data come from (`kcatalog.recipe.data`).
        build: `build(hp, data)` returns a compiled model. It takes the raw input, an
            `Input(..., name=data.input_name)`, preprocesses it in layers of its own, and ends
            in logits: (batch, classes) for "classification"; (batch, steps, classes) for
            "next-character", where the model must be causal; or in embeddings (batch,
            features) for "embedding"; or in quantiles (batch, steps ahead, 3), in the units of
            the data, for "forecast" (`kcatalog.recipe.tasks.forecasts`). What it draws from `hp` is
            what is tuned (`kcatalog.recipe.tuning`); a hyperparameter called "batch_size" stands
            in for the argument below, "samples_per_class" for the 4 of each class that a batch
            of an "embedding" holds. Of the data it must not use `data.test`.
        baseline: `baseline(data)` returns (what it is, its score on `data.test`): accuracy for
            "classification" and "embedding", bits per character for "next-character", the mean
            absolute percentage error for "forecast".
        epochs: the final training's length; the best epoch by validation is kept.
        trials: how many sets of hyperparameters are tried. The first is the defaults.
        trial_epochs: epochs per trial.
        batch_size: samples per step.
        objective: what trials and epochs are compared by, on the validation split. By default
            "val_accuracy" (classification), "val_loss" (next-character, forecast) or "val_margin"
            (embedding: how clearly a sample's own class is nearest,
            `kcatalog.recipe.tasks.neighbours`).
            Of Keras's and the catalog's metrics it is known whether more is better, if they keep
            their names; of any other say it, as in ("val_profit", "max") or ("val_cost", "min").
        layout: for `--model-parallel`: which weights are split, as a pattern of the weight's path
            and what each of its axes is split among: "batch", "model" or None. By default
            kernels and embeddings that are matrices, along their last axis.
    """

    name: str
    source: Source
    build: Callable
    baseline: Callable[[Data], tuple[str, float]]
    epochs: int = 20
    trials: int = 3
    trial_epochs: int = 5
    batch_size: int = 32
    objective: str | tuple[str, str] | None = None
    layout: dict[str, tuple] | None = None

    @property
    def script(self) -> str:
        """The program to start for another process of this recipe: the one that runs now, if the
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
