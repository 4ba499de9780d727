"""A recipe: data, model and what may be tuned; the engine does the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """What a recipe script declares.

    Args:
        name: names the run directory and the export, such as "image_cnn".
        source: where the data come from (`kcatalog.recipe.data`). `source.load(name_or_path,
            seed)` gives the `Data`; `source.read(paths, facts)` reads a user's files for
            `predict`: an array of the model's raw input, or for "next-character" a list of
            prompts (strings). `facts` is the manifest's "data" entry: name, task, input_name,
            input_shape (without the batch axis), input_dtype, classes (a list), fingerprint.
        build: `build(hp, data)` returns a compiled model from the raw input, an
            `Input(..., name=data.input_name)`, to logits: (batch, classes) for
            "classification", (batch, steps, classes) for "next-character", whose input is
            character ids (batch, None) and which must be causal. Compiled with
            `metrics=["accuracy"]` for classification. A hyperparameter called "batch_size"
            replaces the argument below.
        baseline: `baseline(data)` returns (what it is, its score on `data.test`): accuracy for
            "classification", bits per character for "next-character".
        epochs: at most this many for the final training; the best epoch by validation is kept.
        trials: how many sets of hyperparameters tuning tries.
        trial_epochs: epochs per trial.
        batch_size: samples per step.
        objective: what trials and epochs are compared by, on the validation split. By default
            "val_accuracy" (classification) or "val_loss" (next-character).
    """

    name: str
    source: object
    build: Callable
    baseline: Callable
    epochs: int = 20
    trials: int = 3
    trial_epochs: int = 5
    batch_size: int = 32
    objective: str | None = None

    def main(self) -> None:
        """Run the command line."""
        raise NotImplementedError
