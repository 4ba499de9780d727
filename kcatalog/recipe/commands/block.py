"""The block that a run prints before its first trial: what was found, and what will be done."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from kcatalog.recipe import tasks
from kcatalog.recipe.data import Data
from kcatalog.recipe.data.findings import Finding, duplicates, of_split
from kcatalog.recipe.terminal import output


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
    indent = max(len(entry["about"]) for entry in record) + 2
    for each in (Finding(**entry) for entry in record):
        line = Text(output.entry(each.about, each.text, console, indent))
        line.stylize("dim", 0, indent)
        line.stylize("yellow" if each.warning else "", indent)
        console.print(line, soft_wrap=True)
