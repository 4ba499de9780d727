"""`predict`: print what the exported model says of the user's files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.table import Table

from kcatalog.recipe.export.loading import find
from kcatalog.recipe.tasks import forecasts
from kcatalog.recipe.terminal import output
from kcatalog.recipe.terminal.errors import RecipeError


def predict(recipe, files: list[Path], length: int, seed: int) -> None:
    """Print what the newest exported model says of each file, or how it goes on from a text."""
    exported = find(recipe)
    missing = next((f for f in files if not f.exists()), None)
    if missing is not None:
        raise RecipeError(f"{missing} does not exist.")
    inputs = exported.read(files)
    console = output.console()
    console.print(str(exported.folder), style="dim")
    if exported.info.task == "next-character":
        for file, prompt in zip(files, inputs, strict=True):
            console.rule(str(file), align="left")
            text = exported.go_on(prompt, length, seed)
            console.print(prompt, end="", style="dim")
            console.print(text)
        return
    said = exported.describe(exported.outputs(inputs))
    if exported.info.task == "embedding":
        console.print(_matches(files, np.array([each["embedding"] for each in said])))
        return
    if exported.info.task == "forecast":
        for file, each in zip(files, said, strict=True):
            console.rule(str(file), align="left")
            console.print(_steps_ahead(each))
        return
    table = Table("file", "label", "probability")
    for file, each in zip(files, said, strict=True):
        table.add_row(str(file), each["label"], f"{each['probability']:.3f}")
    console.print(table)


def _steps_ahead(said: dict[str, list[float]]) -> Table:
    """A line for each step ahead: the forecast, and the band it should lie in."""
    table = Table("step", *forecasts.NAMES)
    for step, numbers in enumerate(zip(*map(said.get, forecasts.NAMES), strict=True), start=1):
        table.add_row(str(step), *(f"{number:.6g}" for number in numbers))
    return table


def _matches(files: list[Path], embeddings: np.ndarray) -> Table:
    """Each file, and which of the others is most like it."""
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    cosines = unit @ unit.T - 2 * np.eye(len(files))
    table = Table("file", "most similar of the others", "cosine")
    for i, file in enumerate(files):
        match = int(cosines[i].argmax())
        other = (str(files[match]), f"{cosines[i, match]:.3f}") if match != i else ("", "")
        table.add_row(str(file), *other)
    return table
