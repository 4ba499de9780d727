"""A worker of a search on many hosts: takes trials from the chief until there are no more.

It writes into the folders of its trials and their logs, and nowhere else in the run but its sign
of life. (The process of an isolated trial has a file without a name there, as in any search.)
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from rich.console import Console

from kcatalog.recipe.commands.options import flag
from kcatalog.recipe.data import Data
from kcatalog.recipe.files import disk, rundir, shared
from kcatalog.recipe.files.rundir import Run
from kcatalog.recipe.search import distributed, isolation, presence, report, wire
from kcatalog.recipe.search.distributed import ENDED, PAUSE, WORKERS
from kcatalog.recipe.search.tuner import STARTS_AGAIN, Tuner
from kcatalog.recipe.terminal.errors import RecipeError

WAIT = 600.0  # seconds that a worker waits for its chief
OWN = ("worker", "devices", "cache_memory", "debug")  # what is a worker's own to choose


@dataclass(frozen=True)
class Joined:
    """A search that this process works for.

    run: the chief's.
    terms: how the chief wants trials to be run.
    name: what the chief knows this worker by.
    asking: the line to the chief.
    """

    run: Run
    data: Data
    terms: dict
    name: str
    asking: wire.Asking

    @property
    def how(self) -> tuple[bool, float | None]:
        """Whether each trial has a process of its own, and the memory it may take."""
        return self.terms["isolate"], self.terms["trial_memory"]


@contextlib.contextmanager
def joined(recipe, asked, console: Console) -> Iterator[Joined]:
    """Take from the chief all there is to know; look whether this host can work for it."""
    for field in fields(asked):
        if getattr(asked, field.name) != field.default and field.name not in OWN:
            raise RecipeError(f"{flag(field)} must be left out with --worker: the chief says it.")
    place = distributed.address(asked.worker, "--worker")
    asking = wire.Asking(place, WAIT, console.print)
    terms = asking.terms()
    distributed.check(terms["facts"], distributed.facts(recipe))
    isolation.prepare(terms["isolate"], terms["trial_memory"])
    path = shared.find(terms["where"], "The chief")
    run = Run(path, rundir.read_json(path / "run.json"))
    settings = run.facts["settings"]
    with _stops(), presence.present(run.tuning / WORKERS) as name:
        data = recipe.load(settings["data"], settings["seed"])
        distributed.check(terms["facts"], {"data": data.fingerprint})
        data.keep(Path(tempfile.gettempdir()), asked.cache_memory)  # which is not shared
        console.print(f"{recipe.name} on {data.name} in {path}, as {name}")
        with wire.working_for(place, name):
            yield Joined(run, data, terms, name, asking)


@contextlib.contextmanager
def _stops() -> Iterator[None]:
    """What a worker that is stopped, or that a disk stops, says of its trial."""
    try:
        yield
    except OSError as e:
        if trouble := disk.disk_error(e):
            raise RecipeError(f"{trouble}. {STARTS_AGAIN}") from e
        raise
    except KeyboardInterrupt as e:
        e.add_note("Its trial is handed to another worker, or to this one if it starts again.")
        raise


def follow(tuner: Tuner, us: Joined, console: Console) -> None:
    """Run trials of the chief's until it has no more."""
    tuner.oracle = Client(tuner.oracle, us, console)
    tuner.search()
    console.print("There are no more trials. The chief tells which was the best.")


class Client(wire.OracleClient):
    """KerasTuner's client on a worker, with trials as the chief has them to the last bit."""

    def __init__(self, inner: wire.OracleClient, us: Joined, console: Console):
        super().__init__(inner)
        self.stub, self._folder, self._console = us.asking, us.run.tuning, console
        self._trial, self._found = None, {}

    def create_trial(self, tuner_id):
        """The next trial, when there is one."""
        while (given := super().create_trial(tuner_id)).status == "IDLE":
            time.sleep(PAUSE)
        if given.status == "RUNNING":
            file = self._folder / f"trial_{given.trial_id}" / "trial.json"
            while not shared.seen(file.exists):
                self._console.print(f"This host does not see {file} yet. Waiting for it.")
            given.hyperparameters = type(given).from_state(rundir.read_json(file)).hyperparameters
        self._trial, self._found = given, {"metrics": {}, "step": 0}
        return given

    def get_trial(self, trial_id):
        return self._trial

    def update_trial(self, trial_id, metrics, step=0):
        """The chief gets them when the trial has ended."""
        self._found = {"metrics": metrics, "step": step}
        return self._trial

    def end_trial(self, trial):
        found = {"values": trial.hyperparameters.get_config(), "status": trial.status}
        found |= {"message": trial.message, **self._found}
        rundir.write_json(self._folder / f"trial_{trial.trial_id}" / ENDED, found)
        objective = self.objective.name
        score = self._found["metrics"].get(objective)
        said = f"failed: {report.reason(trial)}" if score is None else f"{objective} {score:.4f}"
        self._console.print(f"Trial {trial.trial_id}: {said}")
        super().end_trial(wire.named(trial.trial_id, trial.status))
