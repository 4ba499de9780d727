"""The base class of tasks."""

from __future__ import annotations

import abc
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
from rich.console import Console

from kcatalog.recipe.data import Data, DataInfo
from kcatalog.recipe.data.files import some
from kcatalog.recipe.feed import batches, pipeline
from kcatalog.recipe.tasks import heads
from kcatalog.recipe.terminal import output

PROBE = 32  # samples on which gradients and activations are measured


class Task(abc.ABC):
    """A kind of problem: its score, its batches, its pictures, and the form of its export.

    The engine asks the task wherever tasks differ, and never asks for its name. A task of your
    own is a subclass that says `name`, `measure`, `better` and the two abstract methods; all
    else has a default. Give an instance to `Recipe(task=...)`: the recipe's source then delivers
    the samples, and the task decides what is made of them. `docs/own_task.md` has an example.

    name: what run records and manifests call it.
    measure: the score's name for the reader.
    better: "higher" or "lower": which scores are better.
    objective: the metric of the validation split to choose trials and epochs by, and "max" or
        "min".
    metrics: names of Keras's metrics that are the measure on other samples.
    reported: metrics that `validation_callbacks` add to an epoch's logs, and their directions.
    stratified: whether labels are one class a sample. Then `--folds` can cut stratified folds.
    generates: whether outputs continue the input, character by character, as a text model's do.
        The export then has a signature with the state in and out, and `predict` continues texts.
    output_name: what the export calls the outputs, unless `named` says more.
    ends_in: what the outputs of a model mean, for messages about `build`, such as "logits".
    activation: what makes probabilities of the outputs, "softmax" or "sigmoid", where they are
        logits. A model that ends in it already is taken as well: see `conversion`.
    vanishing: the mean gradient below which a layer's gradient counts as vanishing.
    pictures: names of texts and figures for TensorBoard (`monitoring.pictures`), or functions of a
        `Predictions` that return a matplotlib figure.
    """

    name: ClassVar[str]
    measure: ClassVar[str]
    better: ClassVar[str]
    objective: ClassVar[tuple[str, str]] = ("val_loss", "min")
    metrics: ClassVar[tuple[str, ...]] = ()
    reported: ClassVar[dict[str, str]] = {}
    stratified: ClassVar[bool] = False
    generates: ClassVar[bool] = False
    output_name: ClassVar[str] = "outputs"
    ends_in: ClassVar[str] = ""
    activation: ClassVar[str | None] = None
    vanishing: ClassVar[float] = 1e-7
    pictures: ClassVar[tuple[str | Callable[..., Any], ...]] = ()

    def __str__(self) -> str:
        return self.name

    # --- the contract with `build` ----------------------------------------------------------

    def output_shape(self, data: Data) -> tuple[int | None, ...] | None:
        """Return the shape of a model's output for one sample, with None for an open axis; None
        if any shape will do. `build` is held to it before the search (`tasks.contract`)."""
        return None

    def conversion(self, model: keras.Model, data: Data | DataInfo) -> Callable[..., Any] | None:
        """Return the function (`keras.ops`) from the outputs of this model to those that the
        methods below take; None if they are the same. By default it undoes a last `activation`."""
        found = heads.head(model) if self.activation else None
        return heads.inverse(found) if found and found == self.activation else None

    # --- training ------------------------------------------------------------------------

    def batches(
        self, data: Data, hp: Any, batch_size: int, seed: int, shard: batches.Shard = (0, 1)
    ):
        """Return the training split's batches. A hyperparameter "batch_size" takes precedence.

        Args:
            data: whose training split it is.
            hp: the trial's hyperparameters.
            batch_size: samples in a batch, of all hosts together.
            seed: same seed, same batches.
            shard: this host's number and how many there are. Each gets its part of every batch,
                so that together they see the batches that one host alone would see.
        """
        return batches.Batches(*data.train, hp.values.get("batch_size", batch_size), seed, shard)

    def steps_per_epoch(self, data: Data, batch_size: int) -> int:
        """Return how many batches an epoch has."""
        return max(1, len(data.train[0]) // batch_size)

    def validation_callbacks(self, data: Data) -> list[keras.callbacks.Callback]:
        """Return callbacks that add metrics of the validation split to an epoch's logs."""
        return []

    def probe(self, data: Data, batches: Any) -> tuple[Any, ...]:
        """Return a few samples and labels on which gradients are measured."""
        return some(*data.train, PROBE)

    # --- scoring -------------------------------------------------------------------------

    @abc.abstractmethod
    def score(self, labels: np.ndarray, outputs: np.ndarray, *gallery: np.ndarray) -> float:
        """Return the measure of a model's outputs; `gallery` is empty without `known`."""

    @abc.abstractmethod
    def predicted(self, outputs: np.ndarray, *gallery: np.ndarray) -> np.ndarray:
        """Return predictions in the form of labels."""

    def known(self, data: Data, split: str) -> tuple[Any, ...]:
        """Return samples, with labels, to compare a split's samples with; () if none are needed."""
        return ()

    def gallery(self, model: keras.Model, data: Data, split: str = "test") -> tuple[Any, ...]:
        """Return the model's outputs for the samples in `known`, and their labels."""
        if not (known := self.known(data, split)):
            return ()
        return pipeline.predict(model, known[0]).astype("float32"), known[1]

    def probabilities(self, outputs: np.ndarray) -> np.ndarray | None:
        """Return class probabilities, for tasks that have some."""
        return None

    def further(self, data: Data, outputs: np.ndarray) -> dict[str, float]:
        """Return further measures of the test split, by name."""
        return {}

    def positions(self, x: np.ndarray, predicted: np.ndarray, data: Data) -> tuple[Any, ...] | None:
        """Return the names of the steps that attend and of those attended to, for a sample's
        picture of attention; None where both are the input's own."""
        return None

    # --- export --------------------------------------------------------------------------

    def named(self, outputs: Any) -> dict[str, Any]:
        """Return a model's outputs under the names that the export gives them (`keras.ops`)."""
        return {self.output_name: keras.ops.cast(outputs, "float32")}

    def outputs(self, answers: dict[str, np.ndarray]) -> np.ndarray:
        """Return the model's outputs, as `score` takes them, from an export's named answers."""
        return answers[self.output_name]

    def expected(self, outputs: np.ndarray) -> dict[str, np.ndarray]:
        """Return what the export has to answer, from the live model's outputs."""
        return {k: keras.ops.convert_to_numpy(v) for k, v in self.named(outputs).items()}

    def request(self, x: np.ndarray) -> np.ndarray:
        """Return raw model inputs in the form that the export takes."""
        return x

    def signatures(self, served: Any, info: DataInfo) -> dict[str, tuple[Any, ...] | None]:
        """Return the SavedModel's signatures: name -> function and input (`export.Served`)."""
        return {
            "serving_default": served.of_raw(served.answer),
            "serving_bytes": served.of_images(served.answer),
        }

    # --- prediction ----------------------------------------------------------------------

    def describe(self, answer: dict[str, np.ndarray], info: DataInfo) -> dict[Any, Any]:
        """Return an export's answer for one sample in JSON's types, for `predict` and `serve`."""
        return {name: values.tolist() for name, values in answer.items()}

    def show(self, console: Console, files: list[Path], described: list[dict[Any, Any]]) -> None:
        """Print the descriptions of files, as `predict` does: a table with a row for each."""
        rows = [self.cells(each) for each in described]
        table = output.table("file", *rows[0])
        for file, row in zip(files, rows, strict=True):
            table.add_row(str(file), *row.values())
        console.print(table)

    def cells(self, described: dict[Any, Any]) -> dict[str, str]:
        """Return what the table of `show` has of a description, by column."""
        return {name: _short(value) for name, value in described.items()}


def _short(value) -> str:
    if isinstance(value, list):
        return ", ".join(map(_short, value[:8])) + (", ..." if len(value) > 8 else "")
    return f"{value:.4g}" if isinstance(value, float) else str(value)
