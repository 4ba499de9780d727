"""KerasTuner's files, so that a kill at any moment loses nothing of a search.

KerasTuner overwrites `oracle.json` and each `trial.json` in place and one after the other: a kill
leaves half a file, or files that contradict each other. Here each is written beside and renamed
into place, the one before is kept, and what a kill has parted is brought together on reload.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from kcatalog.recipe.files import disk, rundir
from kcatalog.recipe.terminal import output
from kcatalog.recipe.terminal.errors import RecipeError

ENDED = ("COMPLETED", "FAILED")


class Kept:
    """Mixed into an oracle. Of KerasTuner's private methods it needs those that name its files
    and write a trial's, which nothing public does."""

    console = output.console()

    def save(self) -> None:
        write(Path(self._get_oracle_fname()), self.get_state())

    def _save_trial(self, trial) -> None:
        write(Path(self._get_trial_dir(trial.trial_id)) / "trial.json", trial.get_state())

    def reload(self) -> None:
        folder = Path(self._project_dir)
        self._mend(folder / "oracle.json", "start_order")
        for file in sorted({f.with_name("trial.json") for f in folder.glob("trial_*/trial*.json")}):
            self._mend(file, "trial_id")
        super().reload()
        self._agree()

    def _mend(self, file: Path, key: str) -> None:
        """Where a file is damaged or missing, put the one before in its place."""
        before, found = _before(file), file.exists()
        if _sound(file, key):
            return
        wrong = f"{file} is {'damaged' if found else 'missing'}"
        if not _sound(before, key):
            raise RecipeError(f"{wrong}, and {before.name} is no better. Start a new run.")
        if found:
            os.replace(file, file.with_suffix(".damaged.json"))
        with disk.atomic_write(file) as beside:
            shutil.copyfile(before, beside)
        self.console.print(f"{wrong}; went on with the one before it.", style="yellow")

    def _agree(self) -> None:
        """A trial counts as begun, and as ended, if the oracle's own file says so too.

        Any other is run, and goes on from its checkpoint.
        """
        missing = [i for i in self.start_order if i not in self.trials]
        if missing:
            file = Path(self._project_dir) / f"trial_{missing[0]}" / "trial.json"
            raise RecipeError(f"{file} is missing. Start a new run.")
        self.trials = {i: self.trials[i] for i in self.start_order}
        self.end_order = [i for i in self.end_order if self.trials[i].status in ENDED]
        waiting = [t for i, t in self.trials.items() if i not in self.end_order]
        for trial in waiting:
            trial.status, trial.message = "RUNNING", None
            trial.metrics = type(trial.metrics)()  # what the killed process reported last
        self._retry_queue = [t.trial_id for t in reversed(waiting)]  # the last is run first

    def take_back(self, worker: str) -> None:
        """Hand the trial of a worker that is gone to the next who asks."""
        self._retry_queue.append(self.ongoing_trials.pop(worker).trial_id)
        self.save()

    def give_back(self, workers: set[str]) -> None:
        """After a reload: trials whose workers may be at them still stay theirs."""
        file = Path(self._get_oracle_fname())
        saved = rundir.read_json(file)["ongoing_trials"] if file.exists() else {}
        for worker, trial_id in saved.items():
            if worker in workers and trial_id in self._retry_queue:
                self._retry_queue.remove(trial_id)
                self.ongoing_trials[worker] = self.trials[trial_id]

    def end(self, trial_id: str, values, status: str, message, metrics: dict, step: int) -> None:
        """A worker's trial has ended, perhaps one that was given up and came back."""
        if trial_id in self._retry_queue:
            self._retry_queue.remove(trial_id)
        trial = self.trials[trial_id]
        trial.metrics = type(trial.metrics)()
        if metrics:
            self.update_trial(trial_id, metrics, step)
        self.end_trial(type(trial)(values, trial_id, status, message))


def write(file: Path, state: dict) -> None:
    """Write a file whole, and keep the one before."""
    if file.exists():
        shutil.copyfile(file, _before(file))
    rundir.write_json(file, state)


def _before(file: Path) -> Path:
    return file.with_suffix(".before.json")


def _sound(file: Path, key: str) -> bool:
    try:
        return key in rundir.read_json(file)
    except RecipeError:
        return False
