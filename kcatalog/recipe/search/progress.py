"""The progress of a search: a bar in a terminal, and once an estimate of the time it takes.

Each trial notes its finished epochs in a file of its folder, since it may run in this process, in
another one or on another host.
"""

from __future__ import annotations

import contextlib
import json
import math
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
from rich.console import Console
from rich.progress import TextColumn, TimeRemainingColumn

from kcatalog.progress import duration
from kcatalog.recipe.tasks import higher_is_better
from kcatalog.recipe.terminal import output

FILE = "progress.json"
PERIOD = 0.5  # seconds between two looks at the files

clock = time.monotonic


@dataclass(frozen=True)
class Note:
    """The state of a trial after an epoch.

    done, of: epochs, those of all folds together.
    best: the best value of the objective so far.
    start: seconds until the first step was done, which compiles the model.
    epoch: seconds that one more epoch takes.
    seconds: the time that this process has trained for.
    """

    done: int
    of: int
    best: float
    start: float
    epoch: float
    seconds: float = 0.0

    @property
    def trial(self) -> float:
        """Seconds that a whole trial takes."""
        return self.start + self.of * self.epoch

    def write(self, folder: Path) -> None:
        with contextlib.suppress(OSError):  # a full disk is an error of what must be kept
            (folder / FILE).write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Note | None:
        """Return a trial's newest note, or None before its first epoch has ended."""
        try:
            return cls(**json.loads((folder / FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):  # or while it is being written
            return None


class Notes(keras.callbacks.Callback):
    """Writes a note after each epoch.

    Args:
        folder: the trial's.
        objective: what trials are compared by.
        epochs: of one fold.
        fold, folds: this fold's number from 0, and how many there are.
    """

    def __init__(self, folder: Path, objective: str, epochs: int, fold: int = 0, folds: int = 1):
        super().__init__()
        self.folder, self.objective, self.of = folder, objective, epochs * folds
        self.before, self._best = fold * epochs, max if higher_is_better(objective) else min

    def on_train_begin(self, logs: dict[Any, Any] | None = None) -> None:
        self._found, self._start, self._began = [], None, clock()
        folds = Note.read(self.folder) if self.before else None
        self._origin = self._began - (folds.seconds if folds else 0.0)

    def on_train_batch_end(self, batch: int, logs: dict[Any, Any] | None = None) -> None:
        if self._start is None:
            self._start, self._began = clock() - self._began, clock()

    def on_epoch_end(self, epoch: int, logs: dict[Any, Any] | None = None) -> None:
        now = clock()
        self._found.append((logs or {}).get(self.objective, math.nan))
        note = (self.before + epoch + 1, self.of, self._best(self._found), self._start or 0.0)
        mean = (now - self._began) / len(self._found)
        Note(*map(float, note), mean, now - self._origin).write(self.folder)


class Progress:
    """The bar and the estimate that the terminal shows while trials run.

    Args:
        console: a terminal gets a bar, and a log one line.
        oracle: knows the trials that have ended.
    """

    def __init__(self, console: Console, oracle):
        self.console, self.oracle = console, oracle
        self.slots, self._running, self._best = 1, {}, []
        self._said, self._ended, self._lock = False, threading.Event(), threading.Lock()
        columns = TextColumn("{task.fields[state]}", style="dim"), TimeRemainingColumn()
        self._bar = output.bar(
            console, *columns, TextColumn("left"), speed_estimate_period=math.inf, get_time=clock
        )
        self._task = self._bar.add_task("Search", total=None, state="")

    def __enter__(self) -> Progress:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        if self.console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *error) -> None:
        self._ended.set()
        self._thread.join()
        if self._bar.live.is_started:
            self._bar.stop()

    def began(self, trial_id: str, folder: Path, slots: int) -> None:
        """Show a trial that begins; `slots` is how many may run at once."""
        with contextlib.suppress(OSError):
            (folder / FILE).unlink(missing_ok=True)  # of the trial before a kill
        best = self.oracle.get_best_trials(1)  # one that has not ended, where none has
        self._best = [trial.score for trial in best if trial.score is not None]
        self.slots, self._running[trial_id] = slots, folder
        self.look()

    def ended(self, trial_id: str) -> None:
        """Show that a trial has ended."""
        self.look()
        self._running.pop(trial_id, None)

    def look(self) -> None:
        """Read the trials' notes, and show what they say."""
        with self._lock:
            self._look()

    def _look(self) -> None:
        found = {i: Note.read(folder) for i, folder in list(self._running.items())}
        notes = [note for note in found.values() if note]
        if notes:
            self._estimate(notes[0])
        if self.console.is_terminal and found:
            self._show(list(found), notes)

    def _watch(self) -> None:
        while not self._ended.wait(PERIOD):
            self.look()

    def _estimate(self, note: Note) -> None:
        """Print once how long this trial and the search take."""
        waiting = self._waiting()
        if self._said or not (waiting or note.done < note.of):
            return
        self._said, sentence = True, f"About {duration(note.trial)} for this trial"
        if waiting:
            rounds = 1 + math.ceil(waiting / self.slots)
            longest = getattr(
                self.oracle, "max_epochs", note.of
            )  # Hyperband begins with short ones
            whole = duration(rounds * (note.start + longest * note.epoch))
            sentence += f", {'at most ' if longest > note.of else ''}{whole} for the search"
        self.console.print(f"{sentence}.")

    def _waiting(self) -> int:
        """Return how many trials have not begun."""
        begun = len(self.oracle.end_order) + len(self._running)
        return max(0, self.oracle.max_trials - begun)

    def _show(self, running: list[str], notes: list[Note]) -> None:
        ended, trials = len(self.oracle.end_order), self.oracle.max_trials
        count = f" ({ended + 1} of {trials})"
        about = f"Trial {running[0]}{count}" if len(running) == 1 else f"{len(running)} trials"
        state = []
        if len(notes) == 1:
            state.append(f"epoch {notes[0].done:.0f}/{notes[0].of:.0f}")
        if best := self._best + [note.best for note in notes]:
            better = max if self.oracle.objective.direction == "max" else min
            state.append(f"best {better(best):.4f}")
        done, state = ended + sum(note.done / note.of for note in notes), "  ".join(state)
        self._bar.update(self._task, description=about, completed=done, total=trials, state=state)
