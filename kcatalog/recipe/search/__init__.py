"""Tuning: KerasTuner tries hyperparameters, judged on the validation split alone.

trial.py      trains one set of hyperparameters; goes on after a kill
folds.py      cuts training and validation part into folds
isolation.py  gives a trial a process of its own
oracles.py    which set is next
files.py      keeps the oracle's files whole
tuner.py      asks the oracle, has trials run, keeps the best checkpoints
report.py     what the terminal shows

On many hosts:
distributed.py  what chief and workers agree on
chief.py      hands out trials, takes them back from workers that die
worker.py     trains what the chief hands out
presence.py   which workers live
wire.py       KerasTuner's service and client
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras_tuner
from rich.console import Console

from kcatalog.recipe import monitoring
from kcatalog.recipe.search import oracles, report
from kcatalog.recipe.search.trial import Training, length
from kcatalog.recipe.search.tuner import Tuner
from kcatalog.recipe.tasks import higher_is_better
from kcatalog.recipe.terminal.errors import RecipeError


@dataclass(frozen=True)
class Budget:
    """Which tuner, how many sets it may try, and of how many the checkpoints are kept."""

    tuner: str
    trials: int
    keep: int = 3


def tuner_of(
    training: Training, space, budget: Budget, run, console: Console, run_trial: Callable
) -> Tuner:
    """The tuner of a run; one that was interrupted stands where it was.

    Args:
        training: how trials are trained.
        space: the hyperparameters, with the user's own values in place of ranges.
        budget: how much may be tried.
        run: the run, in whose directory the search keeps its files.
        console: where it tells what it does.
        run_trial: `training.run`, or what runs a trial elsewhere.
    """
    direction = "max" if higher_is_better(training.objective) else "min"
    oracle = oracles.oracle(
        budget.tuner,
        budget.trials,
        length(space, training.epochs),
        objective=keras_tuner.Objective(training.objective, direction),
        seed=training.seed,
        hyperparameters=space,
    )
    return Tuner(oracle, training, run_trial, run.tuning, budget.keep, console)


def conclude(oracle, budget: Budget, console: Console) -> dict:
    """Print a table of the trials. Returns the best values."""
    done = list(oracle.trials.values())
    if oracle.exhausted:
        console.print(report.exhausted(oracle, budget.tuner))
    console.print(report.table(done, oracle.objective.name))
    good = [t for t in done if t.score is not None and t.status == "COMPLETED"]
    if not good:
        failed = [t for t in done if t.message]
        last = report.reason(failed[-1]) if failed else "no score"
        raise RecipeError(f"Every trial failed. The last one: {last}")
    return monitoring.active(oracle.get_best_trials(1)[0].hyperparameters)
