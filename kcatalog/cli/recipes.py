"""`kcatalog recipes`, `kcatalog run` and `kcatalog copy`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.padding import Padding

from kcatalog import shelf
from kcatalog.cli.terminal import UsageError, app, console


@app.command()
def recipes():
    """List the recipes: purpose, data, and score by default."""
    for recipe in shelf.recipes():
        console.print(f"\n[bold]{recipe.name}[/]")
        for text in (recipe.summary, recipe.data):
            console.print(Padding(escape(text), (0, 0, 0, 2)), highlight=False)
        if recipe.result:
            console.print(Padding(escape(recipe.result), (0, 0, 0, 2)), style="dim")
    console.print("\nRun one with `kcatalog run NAME`; `kcatalog copy NAME` gives you its script.")


@app.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
def run(
    call: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Recipe, such as image_cnn; its own commands and options follow it.",
        ),
    ] = "",
):
    """Run a recipe: tune, train, evaluate, export, or one step.

    `kcatalog recipes` lists the recipes. `kcatalog run NAME --help` lists the commands and options
    of one.
    """
    if not name:
        raise UsageError("Name a recipe. `kcatalog recipes` lists them.")
    if name == "--help":
        print(call.get_help())
        return
    shelf.run(shelf.find(name), call.args)


@app.command()
def copy(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Recipe, such as image_cnn.")],
    target: Annotated[
        Path, typer.Argument(metavar="TARGET", help="New file, or a folder for it.")
    ] = Path(),
):
    """Copy a recipe's script, to edit and to run with python.

    `kcatalog recipes` lists the recipes.
    """
    recipe = shelf.find(name)
    try:
        file = shelf.copy(recipe, target)
    except FileExistsError as e:
        raise UsageError(f"{e.filename} exists already. Name another file.") from e
    except FileNotFoundError as e:
        raise UsageError(f"There is no folder {target.parent}. Make it first.") from e
    console.print(f"{file} is yours. Run it with: python {file}", highlight=False)
