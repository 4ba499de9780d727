"""Exported models, loaded by plain TensorFlow for `predict` and `serve`."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kcatalog.recipe import tasks
from kcatalog.recipe.data import DataInfo
from kcatalog.recipe.export import versions
from kcatalog.recipe.export.check_export import AFTER, numpy_function
from kcatalog.recipe.files.rundir import read_json
from kcatalog.recipe.terminal.errors import RecipeError

BATCH = 16  # samples that go through the model at once; bounds the memory of a request
CONTEXT = 256  # characters that a model without states reads before each character it writes


@dataclass(frozen=True)
class Exported:
    """One exported version of a recipe.

    Args:
        recipe: the recipe; its source, with the options of training, reads files.
        folder: the version's folder.
        info: the manifest's description of the data.
    """

    recipe: Any
    folder: Path
    info: DataInfo

    @functools.cached_property
    def model(self):
        """The SavedModel, loaded by plain TensorFlow on first use."""
        import tensorflow as tf

        try:
            return tf.saved_model.load(str(self.folder))
        except (OSError, tf.errors.OpError) as e:
            raise RecipeError(f"{self.folder} is damaged: {e}. Export again.") from e

    @property
    def task(self) -> tasks.Task:
        """The task of the model."""
        return tasks.of_recipe(self.recipe, self.info)

    def read(self, files: list[Path]):
        """Return files as the model's input, prepared like the training data."""
        return self.recipe.source.read(files, self.info)

    @property
    def signatures(self) -> list[str]:
        """The names of the model's signatures."""
        return sorted(self.model.signatures)

    def signature(self, name: str = "serving_default"):
        """Return a signature as a function from arrays to arrays (`numpy_function`)."""
        return numpy_function(self.model, name)

    @property
    def input(self):
        """The `tf.TensorSpec` of the model's one input."""
        (spec,) = self.signature().inputs.values()
        return spec

    def outputs(self, x, name: str = "serving_default") -> dict[str, np.ndarray]:
        """Return a signature's outputs by name, computed in small batches.

        Args:
            x: the samples, or several inputs by name.
            name: the signature.

        Raises:
            RecipeError: the model cannot process these samples.
        """
        import tensorflow as tf

        call = self.signature(name)
        x = x if isinstance(x, dict) else {next(iter(call.inputs)): x}
        count, parts = len(next(iter(x.values()))), []
        try:
            for i in range(0, count, BATCH):
                parts.append(call(**{key: values[i : i + BATCH] for key, values in x.items()}))
        except tf.errors.InvalidArgumentError as e:  # such as too few steps for a convolution
            raise RecipeError("The model cannot process these samples.") from e
        outputs = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
        for key, values in outputs.items():
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                raise RecipeError(f"The model's {key} are not finite for this input.")
        return outputs

    def notes(self, files: list[Path]) -> list[dict[Any, Any]]:
        """Return for each file what belongs beside its description (`Source.notes`)."""
        return self.recipe.source.notes(files, self.info)

    def describe(
        self, outputs: dict[str, np.ndarray], notes: list[dict[Any, Any]] | None = None
    ) -> list[dict[Any, Any]]:
        """Return for each sample what a reader wants to see first, such as the label."""
        described = [self.task.describe(row, self.info) for row in rows(outputs)]
        return [
            {**d, **note} for d, note in zip(described, notes or [{}] * len(described), strict=True)
        ]

    def go_on(self, prompt: str, length: int, seed: int) -> str:
        """Return the continuation of a text."""
        step = self.signature("step") if "step" in self.signatures else None
        return generate(self.signature(), prompt, length, self.info.classes, seed, step)


def rows(outputs: dict[Any, Any]) -> list[dict[Any, Any]]:
    """Return outputs by sample instead of by name.

    >>> rows({"label": ["a", "b"], "score": [1, 2]})
    [{'label': 'a', 'score': 1}, {'label': 'b', 'score': 2}]
    """
    return [dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)]


def find(recipe, version: int | None = None) -> Exported:
    """Return an exported version of a recipe, by default the newest."""
    folder = versions.of(recipe.name)
    found = versions.numbers(folder)
    if not found:
        raise RecipeError(f"There is no exported {recipe.name} yet. Run `export` first.")
    if version not in (None, *found):
        raise RecipeError(
            f"--version must be an exported version of {recipe.name}: "
            f"{', '.join(map(str, found))}. Received: {version}."
        )
    folder = folder / str(found[-1] if version is None else version)
    manifest = read_json(folder / "manifest.json", "Export again.")
    record, settings = manifest.get("data"), manifest.get("settings") or {}
    recipe = dataclasses.replace(recipe, source=recipe.source.configured(settings))
    try:
        return Exported(recipe, folder, DataInfo.from_record(record, recipe.source.Details))
    except TypeError as e:  # no object, or not all of it
        raise RecipeError(
            f"{folder / 'manifest.json'} is damaged: it must describe the data. Export again."
        ) from e


def generate(answer, prompt: str, length: int, classes: Sequence[str], seed: int, step=None) -> str:
    """Return `length` characters, each drawn from the model's probabilities.

    With the signature `step`, the model reads each character once. Without it, it reads the last
    `CONTEXT` characters each time.
    """
    rng, written = np.random.default_rng(seed), ""
    states = {
        name: np.zeros((1, *spec.shape[1:]), "float32")
        for name, spec in (step.inputs if step else {}).items()
        if name != "text"
    }
    for _ in range(length):
        if step is None:
            outputs = answer(text=[(prompt + written)[-CONTEXT:]])
        else:
            outputs = step(text=[written[-1:] or prompt], **states)
            states = {name: outputs[AFTER + name] for name in states}
        p = outputs["probabilities"][0].astype("float64")
        written += classes[rng.choice(len(classes), p=p / p.sum())]
    return written
