"""The application that commands register with, its console, and errors of the user's input."""

from __future__ import annotations

import typer
from rich.console import Console

from kcatalog import checks

app = typer.Typer(
    help="Parts for Keras 3: layers, losses, metrics, optimizer wrappers and more.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"max_content_width": 100},
    rich_markup_mode=None,  # its tables show a flag as if it took a value
    pretty_exceptions_enable=False,
)
console = Console()


class UsageError(Exception):
    """An error of the user's input. Its message is printed, and the exit code is 2."""


def known(what: str, value: str | None, options):
    """Raise an error if there is no such option."""
    if value is not None and value not in options:
        raise UsageError(f"There is no {what} {value!r}. {checks.closest(value, options)}")
