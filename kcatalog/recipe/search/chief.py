"""The chief of a search on many hosts: hands out trials, and takes them back from workers that die.

It holds the run and alone writes what the oracle knows. It trains nothing.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import keras_tuner
from rich.console import Console

from kcatalog.recipe.files import disk, rundir, shared
from kcatalog.recipe.files.rundir import Run
from kcatalog.recipe.search import distributed, wire
from kcatalog.recipe.search.distributed import ENDED, PAUSE, WORKERS
from kcatalog.recipe.search.presence import Watch
from kcatalog.recipe.search.tuner import Tuner


class Chief(wire.OracleServicer):
    """KerasTuner's service of an oracle, which in addition sees workers come and go.

    Args:
        tuner: whose oracle it is.
        terms: what workers have to know.
        console: where it tells who comes and goes.
    """

    def __init__(self, tuner: Tuner, terms: dict, console: Console):
        super().__init__(tuner.oracle)
        self._folder, self._terms, self._console = Path(tuner.project_dir), terms, console
        self._watch = Watch(self._folder / WORKERS)
        self._there, self._dismissed, self._closing = set(), set(), False
        self._lock = threading.Lock()  # KerasTuner's own stays closed after an error
        self.error: Exception | None = None

    @contextlib.contextmanager
    def _alone(self, context) -> Iterator[None]:
        """One at a time; after an error, which ends the search, nobody any more."""
        with self._lock:
            if self.error is None:
                try:
                    yield
                except Exception as e:
                    self.error = e
                else:
                    return
            context.abort(grpc.StatusCode.ABORTED, disk.disk_error(self.error) or str(self.error))

    def GetSpace(self, request, context):  # noqa: N802 - the service's name
        return wire.greeting(context, self._terms)

    def CreateTrial(self, request, context):  # noqa: N802
        worker = request.tuner_id
        with self._alone(context):
            self._watch.gone(worker)  # which it is not
            if worker not in self._there:
                self._there.add(worker)
                self._console.print(f"{worker} works along.")
            trial = self.oracle.create_trial(worker)
            if trial.status == "STOPPED" and self.oracle.ongoing_trials:
                trial.status = "IDLE"  # one of those may yet come back
            if trial.status == "STOPPED":
                self._dismissed.add(worker)
            return wire.created(trial.trial_id, trial.status)

    def EndTrial(self, request, context):  # noqa: N802
        trial_id = request.trial.trial_id
        file = self._folder / f"trial_{trial_id}" / ENDED
        if not shared.seen(file.exists):  # the worker asks again
            context.abort(grpc.StatusCode.UNAVAILABLE, f"{file} is not seen yet.")
        with self._alone(context):
            waiting = self.oracle.trials.keys() - set(self.oracle.end_order)
            if trial_id in waiting:  # else an answer was lost, or it came late
                found = rundir.read_json(file)
                values = keras_tuner.HyperParameters.from_config(found.pop("values"))
                self.oracle.end(trial_id, values, **found)
            return wire.ended()

    def look(self) -> bool:
        """Give the trials of workers that are gone to others. Returns whether all is done."""
        with self._lock:
            if self.error is None:
                try:
                    return self._over()
                except Exception as e:
                    self.error = e
            return True

    def _over(self) -> bool:
        ongoing = self.oracle.ongoing_trials
        for worker in [w for w in self._there | ongoing.keys() if self._watch.gone(w)]:
            self._there.discard(worker)
            if worker in ongoing:
                trial = ongoing[worker].trial_id
                self.oracle.take_back(worker)
                self._console.print(f"{worker} is gone. Trial {trial} is handed out again.")
        over = self._dismissed or len(self.oracle.end_order) >= self.oracle.max_trials
        if over and not self._closing:
            self._closing = True
            self._there |= self._watch.here()  # those who come are told that it is over
        return bool(over) and not (ongoing or self._there - self._dismissed)


def terms(recipe, run: Run) -> dict:
    """What workers have to know: where the run is, what it is about, how to run trials."""
    facts = {**distributed.facts(recipe), "data": run.facts["data"]["fingerprint"]}
    how = {name: run.facts["settings"][name] for name in ("isolate", "trial_memory")}
    return {"where": shared.mark(run.path), "facts": facts, **how}


def lead(tuner: Tuner, terms: dict, at: str, console: Console) -> None:
    """Hand out the trials of a search until all have ended."""
    chief = Chief(tuner, terms, console)
    tuner.oracle.give_back({p.name for p in Path(tuner.project_dir).glob(f"{WORKERS}/*")})
    tuner.save()
    with wire.serving(chief, distributed.address(at, "--chief")) as place:
        console.print(
            f"Chief at {place}. On each host, as often as you like: tune --worker {place}"
        )
        while not chief.look():
            time.sleep(PAUSE)
        if chief.error:
            time.sleep(2 * PAUSE)  # in which those who ask are told
            raise chief.error
