"""The scheduling loop: asks the oracle for a trial, has a runner run it, reports the score."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import traceback
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras_tuner
from rich.console import Console

from kcatalog.recipe import monitoring
from kcatalog.recipe.data.findings import listed
from kcatalog.recipe.files import disk, rundir
from kcatalog.recipe.monitoring.track import Tracking
from kcatalog.recipe.search import oracles, report
from kcatalog.recipe.search.atomic_files import ENDED
from kcatalog.recipe.search.progress import Progress
from kcatalog.recipe.search.runners import Runner, SearchError
from kcatalog.recipe.search.trial import Training, Work, best_epoch, length
from kcatalog.recipe.tasks import higher_is_better
from kcatalog.recipe.terminal.errors import RecipeError

HOPELESS = 10  # a search whose first so many trials fail will not succeed
LOOK_AGAIN = 30.0  # seconds until the loop sees that a cluster has grown


@dataclass(frozen=True)
class Budget:
    """The search algorithm, the number of trials, and how many trials keep their checkpoints."""

    tuner: str
    trials: int
    keep: int = 3


class Tuner(keras_tuner.engine.base_tuner.BaseTuner):
    """KerasTuner's tuner with trials that resume and may run elsewhere.

    Args:
        training: how trials are trained.
        space: the hyperparameters, with the user's values in place of ranges.
        budget: how much may be tried.
        runner: runs the trials.
        folder: where the search keeps its files.
        console: shows each trial's end.
        tracking: gets each trial that has a score.
    """

    def __init__(
        self,
        training: Training,
        space: keras_tuner.HyperParameters,
        budget: Budget,
        runner: Runner,
        folder: Path,
        console: Console,
        tracking: Tracking | None = None,
    ):
        self._budget, self._runner, self._console = budget, runner, console
        self._tracking = tracking or Tracking()
        self._data = training.data
        direction = "max" if higher_is_better(training.objective) else "min"
        oracle = oracles.oracle(
            budget.tuner,
            budget.trials,
            length(space, training.epochs),
            objective=keras_tuner.Objective(training.objective, direction),
            seed=training.seed,
            hyperparameters=space,
        )
        oracle.console, self._progress = console, Progress(console, oracle)
        super().__init__(
            oracle, training.model, directory=str(folder.parent), project_name=folder.name
        )

    def search(self) -> dict[Any, Any]:
        """Run all trials and print a table of them. Return the best hyperparameters."""
        self.save()  # so that a search that is killed in its first trial is found again
        running: dict[futures.Future, tuple[Any, ...]] = {}
        try:
            with contextlib.closing(self._runner), self._progress:
                while self._dispatch(running):
                    done, _ = futures.wait(running, LOOK_AGAIN, futures.FIRST_COMPLETED)
                    for future in [f for f in running if f in done]:  # as they started
                        self._finish(future, *running.pop(future))
        except BaseException:
            with contextlib.suppress(OSError):  # the first error is the one to report
                self._write_csv()
            raise
        self._write_csv()
        return self._conclude()

    def _write_csv(self) -> None:
        trials = list(self.oracle.trials.values())
        report.write_csv(self.oracle.folder, trials, self.oracle.objective.name)

    def _dispatch(self, running: dict[Any, Any]) -> bool:
        """Start trials while there is room. Return whether any trial runs.

        The oracle may have none now, but another one when it knows the next score.
        """
        while len(running) < self._runner.slots:
            names = (f"tuner{i}" for i in itertools.count())
            trial = self.oracle.create_trial(
                next(n for n in names if n not in self.oracle.ongoing_trials)
            )
            if trial.status != "RUNNING":
                break
            hp = trial.hyperparameters
            parent = hp.values.get(oracles.FROM)
            folders = [
                self.oracle.folder / f"trial_{i}" for i in (trial.trial_id, parent) if i is not None
            ]
            work = Work(trial.trial_id, hp, *folders)
            self._progress.began(trial.trial_id, work.folder, self._runner.slots)
            running[self._runner.submit(work)] = work, trial
        return bool(running)

    def _finish(self, future: futures.Future, work: Work, trial) -> None:
        """Report a trial's result, or its error, to the oracle."""
        self._progress.ended(trial.trial_id)
        try:
            parts = self._runner.result(work, future)
            metrics, step = best_epoch(parts, self.oracle.objective)
        except SearchError:
            raise
        except Exception as e:
            trouble = disk.disk_error(e) or (e.__cause__ and disk.disk_error(e.__cause__))
            if changed := self._data.changed():
                trouble = f"Files have changed since the search began: {listed(changed)}"
                trouble += ". Put them back"
            if trouble:  # which every other trial would meet, too
                raise SearchError(f"{trouble}. The search goes on with --resume.") from e
            trial.status = "INVALID"
            trial.message = "".join(traceback.format_exception(e))
        else:
            self.oracle.update_trial(trial.trial_id, metrics, step)
            trial.status = "COMPLETED"
            self._tracking.send("trial", trial.trial_id, monitoring.active(work.hp), parts)
        self.oracle.end_trial(trial)
        self._console.print(report.line(self.oracle.trials[trial.trial_id], self.oracle))
        prune(self.oracle, self._budget.keep)
        ended = [self.oracle.trials[i] for i in self.oracle.end_order]
        if len(ended) >= HOPELESS and all(t.status == "FAILED" for t in ended):
            reason = report.reason(ended[-1]).rstrip(".")
            raise SearchError(
                f"The first {len(ended)} trials failed. The last one: {reason}. Correct the cause. "
                f"{rundir.anew(self.oracle.folder)}"
            )

    def _conclude(self) -> dict[Any, Any]:
        oracle = self.oracle
        trials = list(oracle.trials.values())
        if oracle.exhausted:
            self._console.print(report.exhausted(oracle, self._budget.tuner))
        self._console.print(report.table(trials, oracle.objective.name))
        if not any(t.score is not None and t.status == "COMPLETED" for t in trials):
            failed = [t for t in trials if t.message]
            last = report.reason(failed[-1]) if failed else "no score"
            raise RecipeError(
                f"Every trial failed. The last one: {last.rstrip('.')}. Correct the cause. "
                f"{rundir.anew(oracle.folder)}"
            )
        return monitoring.active(oracle.get_best_trials(1)[0].hyperparameters)

    def save(self):
        self.oracle.save()
        rundir.write_json(self.oracle.folder / f"{self.tuner_id}.json", {})

    def reload(self):
        self.oracle.reload()


def prune(oracle, keep: int) -> None:
    """Remove the checkpoints of trials that ended, except the best and those to be continued."""
    best = [t for t in oracle.get_best_trials(keep) if t.status == "COMPLETED"]
    kept = {t.trial_id for t in best} | oracle.in_use()
    for trial in oracle.trials.values():
        if trial.status in ENDED and trial.trial_id not in kept:
            checkpoints = oracle.folder / f"trial_{trial.trial_id}" / "checkpoints"
            shutil.rmtree(checkpoints, ignore_errors=True)
