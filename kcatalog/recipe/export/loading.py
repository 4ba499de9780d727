"""Exported models, loaded by plain TensorFlow for `predict` and `serve`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kcatalog.recipe import export, tasks
from kcatalog.recipe.data import DataInfo
from kcatalog.recipe.export.stepwise import AFTER
from kcatalog.recipe.files.rundir import read_json
from kcatalog.recipe.terminal.errors import RecipeError

CONTEXT = 256  # characters that a model without states reads before each character it writes


@dataclass(frozen=True)
class Exported:
    """One exported version of a recipe.

    Args:
        recipe: the recipe; its source reads files.
        folder: the version's folder.
        info: the manifest's description of the data.
    """

    recipe: Any
    folder: Path
    info: DataInfo

    @functools.cached_property
    def answer(self):
        """The model as a function (`load`), loaded on first use."""
        return load(self.folder)

    @property
    def task(self) -> tasks.Task:
        """The task of the model."""
        return tasks.of_recipe(self.recipe, self.info)

    def read(self, files: list[Path]):
        """Return files as the model's input, prepared like the training data."""
        return self.recipe.source.read(files, self.info)

    def outputs(self, inputs) -> dict[str, np.ndarray]:
        """Return the model's outputs by name."""
        return self.answer(**{self.answer.input.name: inputs})

    def describe(self, outputs: dict[str, np.ndarray]) -> list[dict]:
        """Return for each sample what a reader wants to see first, such as the label."""
        return [self.task.describe(row, self.info) for row in rows(outputs)]

    def go_on(self, prompt: str, length: int, seed: int) -> str:
        """Return the continuation of a text."""
        return generate(self.answer, prompt, length, self.info.classes, seed)


def rows(outputs: dict) -> list[dict]:
    """Return outputs by sample instead of by name.

    >>> rows({"label": ["a", "b"], "score": [1, 2]})
    [{'label': 'a', 'score': 1}, {'label': 'b', 'score': 2}]
    """
    return [dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)]


def find(recipe, version: int | None = None) -> Exported:
    """Return an exported version of a recipe, by default the newest."""
    folder = export.newest(recipe.name)
    if folder is None:
        raise RecipeError(f"There is no exported {recipe.name} yet. Run `export` first.")
    if version is not None:
        folder = folder.with_name(str(version))
        if not folder.is_dir():
            there = sorted(int(d.name) for d in folder.parent.iterdir() if d.name.isdigit())
            raise RecipeError(
                f"--version must be an exported version of {recipe.name}: "
                f"{', '.join(map(str, there))}. Received: {version}."
            )
    return Exported(recipe, folder, _info(folder / "manifest.json", recipe.source.Details))


def _info(manifest: Path, details: type) -> DataInfo:
    """Read a manifest's facts about the data."""
    record = read_json(manifest, "Export again.").get("data")
    try:
        return DataInfo.from_record(record, details)
    except TypeError as e:  # no object, or not all of it
        raise RecipeError(f"{manifest} is damaged: it must describe the data. Export again.") from e


def load(folder: Path):
    """Return the exported model as a function from arrays to arrays.

    Its attributes `input` and `outputs` are the tensors' specifications. `step` is the function
    of the signature of that name, or None.
    """
    import tensorflow as tf

    try:
        model = tf.saved_model.load(str(folder))
    except (OSError, tf.errors.OpError) as e:
        raise RecipeError(f"{folder} is damaged: {e}. Export again.") from e

    def function(signature):
        def answer(**inputs) -> dict[str, np.ndarray]:
            tensors = {k: tf.constant(v) for k, v in inputs.items()}
            return {k: v.numpy() for k, v in signature(**tensors).items()}

        return answer

    signature, step = model.signatures["serving_default"], model.signatures.get("step")
    answer = function(signature)
    answer.model = model  # TensorFlow frees a model once only its functions are referenced
    (answer.input,) = signature.structured_input_signature[1].values()
    answer.outputs, answer.step = signature.structured_outputs, None
    if step is not None:
        answer.step = function(step)
        taken = step.structured_input_signature[1]
        answer.step.beginning = {
            name: np.zeros((1, *spec.shape[1:]), spec.dtype.as_numpy_dtype)
            for name, spec in taken.items()
            if name != answer.input.name
        }
    return answer


def generate(answer, prompt: str, length: int, classes: Sequence[str], seed: int) -> str:
    """Return `length` characters, each drawn from the model's probabilities."""
    rng, read_on, written = np.random.default_rng(seed), _reader(answer), ""
    for _ in range(length):
        p = read_on(written[-1] if written else prompt).astype("float64")
        written += classes[rng.choice(len(classes), p=p / p.sum())]
    return written


def _reader(answer) -> Callable[[str], np.ndarray]:
    """Return a function that reads the next piece of a text and predicts the next character.

    A model with a `step` signature reads each character once. Any other model reads the last
    `CONTEXT` characters each time.
    """
    if (step := getattr(answer, "step", None)) is None:
        text = ""

        def read_on(piece):
            nonlocal text
            text = (text + piece)[-CONTEXT:]
            return answer(text=[text])["probabilities"][0]

        return read_on
    states = step.beginning

    def read_on(piece):
        nonlocal states
        outputs = step(text=[piece], **states)
        states = {name: outputs[AFTER + name] for name in states}
        return outputs["probabilities"][0]

    return read_on
