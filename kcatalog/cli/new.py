"""`kcatalog new`: a part of your own to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kcatalog.cli.terminal import UsageError, app, console, known


@app.command()
def new(
    kind: Annotated[str, typer.Argument(help="A kind of part, such as layer, loss or metric.")],
    name: Annotated[str, typer.Argument(help="The class, such as MyLayer.")],
    folder: Annotated[Path, typer.Argument(help="The folder for it, such as a package.")] = Path(),
):
    """Write a part of your own to start from, with its test and, in a package, its export.

    The part works and passes the conformance suite as it is. Change it into yours.
    """
    from kcatalog.new import KINDS, NewPartError, write_part

    known("kind", kind, KINDS)
    try:
        files = write_part(kind, name, folder)
    except NewPartError as e:
        raise UsageError(str(e)) from e
    for file in files:
        console.print(f"Wrote {file}", highlight=False, soft_wrap=True)
    console.print(f"Try it with: python -m pytest {files[1]}", highlight=False, soft_wrap=True)
