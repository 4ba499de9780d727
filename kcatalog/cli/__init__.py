"""The command line: `kcatalog --help` lists its commands.

Each module here has the commands that belong together. `list`, `show`, `recipes` and `copy` read
files as text and answer without importing Keras.
"""

from __future__ import annotations

import sys

from rich.console import Console
from rich.markup import escape

from kcatalog import source
from kcatalog.cli.terminal import UsageError, app

# A module registers its commands when it is imported; the help lists them in this order.
# isort: off
from kcatalog.cli import catalog, check, new, recipes, migrate, doctor  # noqa: F401

# isort: on

__all__ = ["UsageError", "app", "main"]


def main():
    """Run the command line. Errors that the user can fix print one sentence and exit with 2."""
    try:
        app()
    except (UsageError, LookupError, source.SourceError) as e:
        message = e.args[0] if e.args else str(e)
        Console(stderr=True).print(f"[red]Error:[/] {escape(str(message))}", highlight=False)
        sys.exit(2)
