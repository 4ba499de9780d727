"""The tuner: asks the oracle for a set of hyperparameters, has it tried, reports the score.

It runs in one process, or as one of many workers, which ask the oracle of a chief (`worker.py`).
The chief's own tuner (`chief.py`) keeps the oracle and its files, and runs no trial.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import keras_tuner
from keras_tuner.src import config  # nothing public has this switch
from rich.console import Console

from kcatalog.recipe.files import disk, rundir
from kcatalog.recipe.search import report
from kcatalog.recipe.search.files import ENDED
from kcatalog.recipe.search.oracles import FROM
from kcatalog.recipe.search.trial import Logs, Training, Work, history_of
from kcatalog.recipe.terminal.errors import RecipeError

config.DEBUG = False  # or each failed trial's traceback would be printed; trial.json holds it
HOPELESS = 10  # a search whose first so many trials fail will not succeed
GOES_ON = "The search goes on with --resume."
STARTS_AGAIN = "When that is mended, start this worker again: the search goes on."


class SearchError(RecipeError, keras_tuner.errors.FatalError):
    """Ends the whole search, not a trial."""


class Tuner(keras_tuner.engine.base_tuner.BaseTuner):
    """KerasTuner's search with trials that resume, run by `run` here or elsewhere.

    Args:
        oracle: what chooses (`kcatalog.recipe.search.oracles`).
        training: how trials are trained.
        run: takes the work of a trial, returns what its epochs reported, for each fold.
        folder: where the search keeps its files.
        keep: of how many of the best trials the checkpoints stay.
        console: where each trial's end is told.
    """

    def __init__(
        self,
        oracle,
        training: Training,
        run: Callable[[Work], list[Logs]],
        folder: Path,
        keep: int,
        console: Console,
    ):
        self._run, self._keep, self._console = run, keep, console
        oracle.console, oracle.on_end = console, self._ended
        super().__init__(
            oracle, training.model, directory=str(folder.parent), project_name=folder.name
        )

    def on_search_begin(self):
        self.save()  # so that a search that is killed in its first trial is found again

    def run_trial(self, trial):
        hp = trial.hyperparameters
        parent = hp.values.get(FROM)
        folders = [Path(self.get_trial_dir(i)) for i in (trial.trial_id, parent) if i is not None]
        try:
            with disk.file_lock(
                folders[0], wait=True
            ):  # a worker of a chief that is gone may be at it
                parts = self._run(Work(trial.trial_id, hp, *folders))
        except Exception as e:
            trouble = disk.disk_error(e) or (e.__cause__ and disk.disk_error(e.__cause__))
            if trouble:  # no trial can do without the disk
                raise SearchError(f"{trouble}. {GOES_ON if self._leads else STARTS_AGAIN}") from e
            raise
        return history_of(parts, self.oracle.objective.name)

    def save(self):
        if self._leads:
            self.oracle.save()
            rundir.write_json(Path(self.project_dir) / f"{self.tuner_id}.json", {})

    def reload(self):
        if self._leads:
            self.oracle.reload()

    @property
    def _leads(self) -> bool:
        """Whether the oracle is its own; a worker asks its chief's."""
        return isinstance(self.oracle, keras_tuner.Oracle)

    def _ended(self, trial) -> None:
        """After the oracle has noted a trial's end."""
        oracle = self.oracle
        self._console.print(report.line(trial, oracle))
        prune(oracle, Path(self.project_dir), self._keep)
        done = [oracle.trials[i] for i in oracle.end_order]
        if len(done) >= HOPELESS and all(t.status == "FAILED" for t in done):
            raise SearchError(
                f"The first {len(done)} trials failed. The last one: {report.reason(trial)}"
            )


def prune(oracle, folder: Path, keep: int) -> None:
    """Remove the checkpoints of trials that ended, but for the best and those that may go on."""
    best = [t for t in oracle.get_best_trials(keep) if t.status == "COMPLETED"]
    kept = {t.trial_id for t in best} | oracle.in_use()
    for trial in oracle.trials.values():
        if trial.status in ENDED and trial.trial_id not in kept:
            shutil.rmtree(folder / f"trial_{trial.trial_id}" / "checkpoints", ignore_errors=True)
