"""`kcatalog migrate` and `kcatalog migrate-model`."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from kcatalog import progress, quiet
from kcatalog.cli.terminal import UsageError, app, console, known


@app.command()
def migrate(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH", help="Python files, notebooks, or folders.")
    ],
    diff: Annotated[bool, typer.Option("--diff", help="Print the change as a diff.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Change the files.")] = False,
    keras3: Annotated[
        bool, typer.Option("--keras3", help="Replace tf.keras by keras, too.")
    ] = False,
    library: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Only this library, such as tensorflow_addons. Repeat it for several.",
        ),
    ] = None,
):
    """Rewrite programs of TensorFlow Addons or other libraries.

    Without --write, no file is changed. The exit code is 1 if something is left to do by hand;
    it is marked in the files.
    """
    if importlib.util.find_spec("libcst") is None:
        raise UsageError("LibCST is missing. Install it with: pip install 'kcatalog[migrate]'")
    from kcatalog.migrate import report, run, table

    for name in library or ():
        known("library", name, table.names())
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise UsageError(f"There is no {missing[0]}.")
    if diff and write:
        raise UsageError("Give --diff or --write, not both.")
    rewritable = [name for name in table.names() if table.load(name).rewrite]
    options = run.Options(tuple(library or rewritable), keras3)
    log = Console(stderr=True)
    with progress.bar("Reading programs", log) as advance:
        outcomes = run.run(paths, options, lambda done, of: done and advance(of))
        if write:
            outcomes = [run.write(o) if o.changed else o for o in outcomes]
    if diff:
        print("".join(o.diff() for o in outcomes if o.changed), end="")
    report.report(outcomes, write, log if diff else console)
    raise typer.Exit(1 if any(o.open for o in outcomes) else 0)


@app.command("migrate-model")
def migrate_model(
    old: Annotated[
        Path,
        typer.Argument(metavar="OLD", help="A .h5 or .keras file of Keras 2: a model or weights."),
    ],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The .keras file to write.")],
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="For weights: the old model's JSON, from to_json()."),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="For weights: a new .keras model that receives them."),
    ] = None,
    samples: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Inputs to compare predictions on, .npy or .npz."),
    ] = None,
    expected: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The old model's predictions for them, .npy or .npz."),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(metavar="X", help="Largest difference of predictions that is accepted.")
    ] = 1e-4,
    modules: Annotated[
        list[str] | None,
        typer.Option(
            "--import",
            metavar="MODULE",
            help="Module with parts of your own, registered for Keras 3.",
        ),
    ] = None,
):
    """Rebuild a model of Keras 2 or Addons in Keras 3.

    Neither TensorFlow Addons nor Keras 2 is needed. The file is written whole or not at all, and
    only if predictions agree. The exit code is 1 if they do not.
    """
    quiet.tensorflow(level=3)
    sys.path.insert(0, os.getcwd())
    for module in modules or ():
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as e:
            raise UsageError(f"There is no module {e.name!r} to import.") from e
    from kcatalog.migrate.models.error import ModelError
    from kcatalog.migrate.models.migrate import migrate_model

    try:
        result = migrate_model(old, new, config, into, samples, expected, tolerance)
    except ModelError as e:
        raise UsageError(str(e)) from e
    for note in result.notes:
        console.print(f"[yellow]Note:[/] {escape(note)}", highlight=False)
    if result.difference is not None:
        console.print(f"Largest difference of predictions: {result.difference:.2g}")
    if result.differs:
        console.print(f"{new} was not written: --tolerance is {tolerance:g}.", highlight=False)
        raise typer.Exit(1)
    console.print(f"Wrote {new}.", highlight=False)
