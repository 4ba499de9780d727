"""KerasTuner's files, written so that a kill at any moment loses nothing of a search.

KerasTuner overwrites `oracle.json` and each `trial.json` in place and one after the other: a kill
leaves half a file, or files that contradict each other. Here each is replaced atomically, the
previous one is kept, and files that disagree after a kill are reconciled on reload.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from kcatalog.recipe.files import disk, rundir
from kcatalog.recipe.terminal import output
from kcatalog.recipe.terminal.errors import RecipeError

ENDED = ("COMPLETED", "FAILED")


class AtomicFiles:
    """Mixin for oracles. It overrides KerasTuner's private `_save_trial` and sets its private
    `_retry_queue`, since nothing public writes a trial's file or says what is to be run again."""

    console = output.console()

    @property
    def folder(self) -> Path:
        return Path(self._project_dir)

    def get_state(self) -> dict[Any, Any]:
        """Leave out what `_reconcile` finds by itself."""
        return super().get_state() | {"ongoing_trials": {}}

    def save(self) -> None:
        write(self.folder / "oracle.json", self.get_state())

    def _save_trial(self, trial) -> None:
        write(self.folder / f"trial_{trial.trial_id}" / "trial.json", trial.get_state())

    def reload(self) -> None:
        trials = {f.with_name("trial.json") for f in self.folder.glob("trial_*/trial*.json")}
        for file in (self.folder / "oracle.json", *sorted(trials)):
            self._restore(file)
        super().reload()
        self._reconcile()

    def _restore(self, file: Path) -> None:
        """Replace a damaged or missing file by the previous one."""
        previous, found = _previous(file), file.exists()
        if _is_valid(file):
            return
        problem = f"{file} is {'damaged' if found else 'missing'}"
        if not _is_valid(previous):
            advice = rundir.anew(file)
            raise RecipeError(f"{problem}, and {previous.name} is no better. {advice}")
        if found:
            os.replace(file, file.with_suffix(".damaged.json"))
        with disk.atomic_write(file) as beside:
            shutil.copyfile(previous, beside)
        self.console.print(f"{problem}; the previous one was restored.", style="yellow")

    def _reconcile(self) -> None:
        """Let the oracle's file decide which trials have started and which have ended. All others
        that started are run again, and resume from their checkpoints."""
        missing = [i for i in self.start_order if i not in self.trials]
        if missing:
            file = self.folder / f"trial_{missing[0]}" / "trial.json"
            raise RecipeError(f"{file} is missing. {rundir.anew(file)}")
        self.trials = {i: self.trials[i] for i in self.start_order}
        self.end_order = [i for i in self.end_order if self.trials[i].status in ENDED]
        unfinished = [t for i, t in self.trials.items() if i not in self.end_order]
        for trial in unfinished:
            trial.status, trial.message = "RUNNING", None
            trial.metrics = type(trial.metrics)()  # without the killed process's last report
        self._retry_queue = [t.trial_id for t in reversed(unfinished)]  # taken from its end


def write(file: Path, state: dict[Any, Any]) -> None:
    """Replace a file atomically, and keep the previous one."""
    if file.exists():
        shutil.copyfile(file, _previous(file))
    rundir.write_json(file, state)


def _previous(file: Path) -> Path:
    return file.with_suffix(".before.json")


def _is_valid(file: Path) -> bool:
    try:
        rundir.read_json(file)
    except RecipeError:
        return False
    return True
