"""Tuning: KerasTuner tries hyperparameters, judged on the validation split alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import keras_tuner
from rich.console import Console
from rich.table import Table

from kcatalog.recipe import monitoring, tasks, warmup
from kcatalog.recipe.batches import batches_of, evaluation_size
from kcatalog.recipe.errors import RecipeError
from kcatalog.recipe.tasks import higher_is_better


class Trials(keras_tuner.HyperModel):
    """What one trial does: build with a fixed seed, train on the run's batches."""

    def __init__(self, build: Callable, data, seed: int, batch_size: int, logs: Path):
        super().__init__()
        self._model_of, self._data, self._logs = build, data, logs
        self.seed, self._batch_size = seed, batch_size
        self.trial = None  # the one that runs

    def build(self, hp):
        keras.utils.set_random_seed(self.seed)
        return self._model_of(hp)

    def fit(self, hp, model, *args, callbacks: list, **kwargs):
        batches = batches_of(self._data, hp, self._batch_size, self.seed)
        return model.fit(
            batches,
            validation_data=self._data.validation,
            validation_batch_size=evaluation_size(len(self._data.validation[0])),
            shuffle=False,
            callbacks=[
                batches.shuffling(),
                *tasks.validated(self._data),
                *warmup.callbacks(model),
                *callbacks,
                *monitoring.trial_callbacks(self._logs, self.trial),
            ],
            **kwargs,
        )


class _DefaultsFirst:
    """An oracle whose first trial is the recipe's own defaults: what the others must beat."""

    def populate_space(self, trial_id):
        if not self.start_order:
            defaults = keras_tuner.HyperParameters()
            defaults.merge(self.hyperparameters)  # parents come first, so conditions are known
            return {"status": "RUNNING", "values": defaults.values}
        return super().populate_space(trial_id)


class _RandomOracle(_DefaultsFirst, keras_tuner.oracles.RandomSearchOracle):
    pass


class _BayesianOracle(_DefaultsFirst, keras_tuner.oracles.BayesianOptimizationOracle):
    pass


class _Reported:
    """A tuner that tells its model which trial runs, and says a line about each."""

    console: Console

    def run_trial(self, trial, *args, **kwargs):
        self.hypermodel.trial = trial
        return super().run_trial(trial, *args, **kwargs)

    def on_trial_end(self, trial):
        super().on_trial_end(trial)
        trial = self.oracle.get_trial(trial.trial_id)
        score = "failed" if trial.score is None else f"{trial.score:.4f}"
        count = f" of {self.oracle.max_trials}" if self.oracle.max_trials else ""
        number = len(self.oracle.end_order)
        name = self.oracle.objective.name
        self.console.print(f"Trial {number}{count}: {name} {score}")


class _Tuner(_Reported, keras_tuner.Tuner):
    pass


class _Hyperband(_Reported, keras_tuner.Hyperband):
    pass


@dataclass(frozen=True)
class Budget:
    """Which tuner, and how much it may try."""

    tuner: str
    trials: int
    epochs: int


def search(trials: Trials, space, objective: str, budget: Budget, run, console: Console) -> dict:
    """Try hyperparameters and print a table of the trials. Returns the best values.

    A search that was interrupted goes on where it stood.
    """
    goal = keras_tuner.Objective(objective, "max" if higher_is_better(objective) else "min")
    common = {
        "objective": goal,
        "seed": trials.seed,
        "hyperparameters": space,
        "max_consecutive_failed_trials": max(3, budget.trials),
    }
    places = {"directory": str(run.path), "project_name": run.tuning.name}
    if budget.tuner == "hyperband":
        limits = {"max_epochs": budget.epochs, "hyperband_iterations": budget.trials}
        tuner = _Hyperband(trials, **limits, **common, **places)
        tuner.oracle.max_trials = budget.trials
        lasting = {}
    else:
        oracle = {"random": _RandomOracle, "bayesian": _BayesianOracle}[budget.tuner]
        tuner = _Tuner(oracle(max_trials=budget.trials, **common), trials, **places)
        lasting = {"epochs": budget.epochs}
    tuner.console = console
    tuner.search(verbose=0, **lasting)
    done = list(tuner.oracle.trials.values())
    console.print(table(done, objective))
    good = [t for t in done if t.score is not None and t.status == "COMPLETED"]
    if not good:
        reasons = [t.message.strip().splitlines()[-1] for t in done if t.message]
        raise RecipeError(f"Every trial failed. The last one: {(reasons or ['no score'])[-1]}")
    return monitoring.active(tuner.oracle.get_best_trials(1)[0].hyperparameters)


def table(trials: list, objective: str) -> Table:
    """Trials, best first, with their hyperparameters."""
    best_first = higher_is_better(objective)
    scored = [t for t in trials if t.score is not None]
    scored.sort(key=lambda t: t.score, reverse=best_first)
    drawn = Table("trial", objective, "best epoch", "hyperparameters", title="Trials")
    for t in [*scored, *(t for t in trials if t.score is None)]:
        values = monitoring.active(t.hyperparameters)
        words = ", ".join(f"{k}={_short(v)}" for k, v in values.items())
        if t.score is None:
            reason = (t.message or "no score").strip().splitlines()[-1]
            drawn.add_row(t.trial_id, "failed", "", f"{words}\n{reason}")
        else:
            drawn.add_row(t.trial_id, f"{t.score:.4f}", str(t.best_step + 1), words)
    return drawn


def _short(value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
