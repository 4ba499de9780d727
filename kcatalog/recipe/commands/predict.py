"""`predict`: print what the exported model says of the user's files."""

from __future__ import annotations

from pathlib import Path

from kcatalog.recipe.export.loading import find
from kcatalog.recipe.terminal import output
from kcatalog.recipe.terminal.errors import RecipeError


def predict(recipe, files: list[Path], length: int, seed: int) -> None:
    """Print the newest exported model's predictions of files, or its continuations of texts."""
    exported = find(recipe)
    missing = next((f for f in files if not f.exists()), None)
    if missing is not None:
        raise RecipeError(f"{missing} does not exist.")
    inputs = exported.read(files)
    console = output.console()
    console.print(str(exported.folder), style="dim")
    if not exported.task.generates:
        exported.task.show(console, files, exported.describe(exported.outputs(inputs)))
        return
    for file, prompt in zip(files, inputs, strict=True):
        console.rule(str(file), align="left")
        text = exported.go_on(prompt, length, seed)
        console.print(prompt, end="", style="dim")
        console.print(text)
