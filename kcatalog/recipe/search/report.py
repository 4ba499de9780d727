"""The results of a search: a line when a trial ends, a table of all trials, and `trials.csv`."""

from __future__ import annotations

import csv
import statistics
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from kcatalog.recipe import monitoring
from kcatalog.recipe.files import disk
from kcatalog.recipe.search.progress import Note
from kcatalog.recipe.search.trial import fold_name
from kcatalog.recipe.tasks import higher_is_better
from kcatalog.recipe.terminal import output
from kcatalog.recipe.terminal.errors import RecipeError

BEST, FAILED = "green", "red"


def line(trial, oracle) -> Text:
    """Describe a trial that has just ended, in green if it is the best so far."""
    objective, number = oracle.objective.name, len(oracle.end_order)
    count = f" ({number} of {oracle.max_trials})" if oracle.max_trials else ""
    if trial.score is None:
        return Text(f"Trial {trial.trial_id}{count}: failed: {reason(trial)}", FAILED)
    style = BEST if trial in oracle.get_best_trials(1) else ""
    return Text(f"Trial {trial.trial_id}{count}: {objective} {score(trial, objective)}", style)


def ranked(trials: list[Any], objective: str) -> list[Any]:
    """Return the trials, best first, those without a score last."""
    scored = [t for t in trials if t.score is not None]
    scored.sort(key=lambda t: t.score, reverse=higher_is_better(objective))
    return [*scored, *(t for t in trials if t.score is None)]


def write_csv(folder: Path, trials: list[Any], objective: str) -> None:
    """Write `trials.csv` to a search's folder: a row for each trial, best first.

    `seconds` are those of the training, without what a kill has cut off.
    """
    rows = []
    for t in ranked(trials, objective):
        scored, note = t.score is not None, Note.read(folder / f"trial_{t.trial_id}")
        row = {
            "trial": t.trial_id,
            "status": t.status.lower(),
            objective: t.score if scored else "",
            "best_epoch": t.best_step + 1 if scored else "",
            "seconds": round(note.seconds, 2) if note else "",
        }
        rows.append(row | monitoring.active(t.hyperparameters))
    names = dict.fromkeys(name for row in rows for name in row)
    with (
        disk.atomic_write(folder / "trials.csv") as beside,
        beside.open("w", newline="", encoding="utf-8") as file,
    ):
        table = csv.DictWriter(file, names)
        table.writeheader()
        table.writerows(rows)


def table(trials: list[Any], objective: str) -> Table:
    """Return a table of trials, best first, with their hyperparameters."""
    drawn = output.table("trial", objective, "best epoch", "hyperparameters", title="Trials")
    for place, t in enumerate(ranked(trials, objective)):
        values = monitoring.active(t.hyperparameters)
        words = ", ".join(f"{k}={_short(v)}" for k, v in values.items())
        if t.score is None:
            drawn.add_row(t.trial_id, "failed", "", f"{words}\n{reason(t)}", style=FAILED)
        else:
            cells = t.trial_id, score(t, objective), str(t.best_step + 1), words
            drawn.add_row(*cells, style="" if place else BEST)
    return drawn


def score(trial, objective: str) -> str:
    """Format a trial's score; of folds their mean and standard deviation."""
    folds = fold_scores(trial, objective)
    deviation = f" ± {statistics.stdev(folds):.4f}" if folds else ""
    return f"{trial.score:.4f}{deviation}"


def fold_scores(trial, objective: str) -> list[float]:
    """Return each fold's score in the best epoch; none where there were no folds."""
    scores, number = [], 1
    while trial.metrics.exists(name := fold_name(objective, number)):
        scores.append(trial.metrics.get_last_value(name))
        number += 1
    return scores


def reason(trial) -> str:
    """Say why a trial failed, in one line."""
    lines = (trial.message or "no score").strip().splitlines()
    return lines[-1].removeprefix(f"{RecipeError.__module__}.{RecipeError.__name__}: ")


def exhausted(oracle, tuner: str) -> str:
    """Say that all combinations were tried."""
    said = f"All {oracle.combinations_tried()} combinations of hyperparameters were tried."
    if tuner == "hyperband":
        said += " Hyperband needs more to choose among; --tuner random trains each in full."
    return said


def _short(value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
