"""`kcatalog new`: a part of your own to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kcatalog.cli.terminal import UsageError, app, console, known
from kcatalog.new import KINDS, NewPartError, write_part


@app.command()
def new(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=f"One of {', '.join(KINDS)}.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Class name, such as MyLayer.")],
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder for it, such as a package.")
    ] = Path(),
):
    """Write a part of your own to start from, with its test.

    The part works and passes kcatalog's checks as it is: change it into yours. If FOLDER is a
    package, its __init__.py imports the part.
    """

    known("kind", kind, KINDS)
    try:
        files = write_part(kind, name, folder)
    except NewPartError as e:
        raise UsageError(str(e)) from e
    for file in files:
        console.print(f"Wrote {file}", highlight=False, soft_wrap=True)
    console.print(f"Try it with: python -m pytest {files[1]}", highlight=False, soft_wrap=True)
