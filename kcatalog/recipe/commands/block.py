"""The block that a run prints before its first trial: what was found, and what will be done."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kcatalog.recipe import tasks
from kcatalog.recipe.data import Data
from kcatalog.recipe.data.findings import Finding, duplicates, of_split


def findings(data: Data, model, batch_size: int) -> list[Finding]:
    """Return what is known before the first trial, of decoded data and the default model."""
    steps = tasks.steps_per_epoch(data, batch_size)
    return [
        *of_split(data),
        *data.findings,
        *duplicates(data),
        Finding(
            "model",
            f"{model.count_params():,} parameters by default, {steps:,} steps an epoch",
        ),
    ]


def show(console: Console, record: list[dict]) -> None:
    """Print the findings that a run's record stores, the warnings in yellow."""
    grid = Table.grid(padding=(0, 2))
    for each in (Finding(**entry) for entry in record):
        style = "yellow" if each.warning else ""
        grid.add_row(Text(each.about, "dim"), Text(each.text, style, overflow="fold"))
    console.print(grid, soft_wrap=False)
