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
    """List the recipes: what each is for, the data it takes, and what it scores by default."""
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
    name: Annotated[str, typer.Argument(help="A recipe, such as image_cnn, or --help.")],
):
    """Run a recipe; what follows its name is the recipe's, such as tune, --data or --help."""
    if name == "--help":
        print(call.get_help())
        return
    shelf.run(shelf.find(name), call.args)


@app.command()
def copy(
    name: Annotated[str, typer.Argument(help="A recipe, such as image_cnn.")],
    target: Annotated[Path, typer.Argument(help="A new file, or a folder for it.")] = Path(),
):
    """Copy a recipe's script: a file of your own, which runs with python."""
    recipe = shelf.find(name)
    try:
        file = shelf.copy(recipe, target)
    except FileExistsError as e:
        raise UsageError(f"{e.filename} exists already. Name another file.") from e
    except FileNotFoundError as e:
        raise UsageError(f"There is no folder {target.parent}. Make it first.") from e
    console.print(f"{file} is yours. Run it with: python {file}", highlight=False)
