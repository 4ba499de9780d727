"""Runners of trials: in this process, in other processes, or on a Ray cluster (`cluster.py`).

A runner takes a trial's work and returns a future, so that one scheduling loop serves all of them.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import keras_tuner

from kcatalog.recipe.files import rundir
from kcatalog.recipe.search import process
from kcatalog.recipe.search.trial import Logs, Work
from kcatalog.recipe.terminal.errors import RecipeError

# How TensorFlow (two), XLA on CPU (JAX), and OpenMP (PyTorch, oneDNN) are told how many threads to
# start. The variable of XLA is undocumented; where it were ignored, trials would only be slower.
THREADS = (
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "PJRT_NPROC",
    "OMP_NUM_THREADS",
)


class SearchError(RecipeError):
    """An error that ends the whole search, not a trial."""


class Runner:
    """A place where trials run."""

    slots = 1  # trials at once

    def submit(self, work: Work) -> Future:
        """Start a trial."""
        raise NotImplementedError

    def result(self, work: Work, future: Future) -> list[Logs]:
        """Return what a finished trial's epochs reported, for each fold, or raise its error.
        Hyperparameters that the model asked for in addition are added to `work.hp`."""
        return future.result()

    def close(self) -> None:
        """End the trials that still run."""


class InProcess(Runner):
    """Runs one trial at a time, here.

    Args:
        run: `Training.run`.
    """

    def __init__(self, run):
        self._run = run

    def submit(self, work):
        future = Future()
        try:
            future.set_result(self._run(work))
        except Exception as e:
            future.set_exception(e)
        return future


@dataclass(frozen=True)
class Script:
    """The recipe's script as a program that runs one trial.

    file: the script.
    options: of its command `trial`.
    devices: the devices of a trial, as on the command line.
    memory: GB that a trial may take, or None.
    """

    file: str
    options: list[str]
    devices: str
    memory: float | None = None


class Scripted(Runner):
    """Base class of runners that start the recipe's script for each trial."""

    on_cluster = False

    def __init__(self, script: Script):
        self.script = script

    def call(self, work: Work, environment: dict[str, str]) -> dict[Any, Any]:
        """Return the arguments of `process.run`. `assigned` reads the work in the new process."""
        file, folder = str(Path(self.script.file).resolve()), str(work.folder.resolve())
        return {
            "arguments": [file, "search-worker", folder, *self.script.options],
            "folder": folder,
            "work": {
                "trial_id": work.trial_id,
                "hyperparameters": work.hp.get_config(),
                "parent": work.parent and str(work.parent.resolve()),
                "on_cluster": self.on_cluster,
                "keras": keras.__version__,
            },
            "environment": {"KERAS_BACKEND": keras.backend.backend(), **environment},
            "cwd": os.getcwd(),
        }

    def result(self, work, future):
        code, said, found = future.result()
        if code is process.NO_FOLDER:
            raise SearchError(
                f"{said} does not see {work.folder.resolve()}. All hosts of the cluster need one "
                "file system that they see under the same path."
            )
        if found is None:
            raise RecipeError(_reason(code, said))
        hp = keras_tuner.HyperParameters.from_config(found["hyperparameters"])
        work.hp.merge(hp.space, overwrite=False)
        work.hp.values = hp.values
        return found["parts"]


def assigned(folder: Path) -> tuple[Work, bool]:
    """Return the work of this process's trial, and whether the search runs on a cluster."""
    work = rundir.read_json(folder / "work.json")
    if work["keras"] != keras.__version__:
        raise RecipeError(
            f"This host has Keras {keras.__version__}, the search uses {work['keras']}. "
            "Install the same version on all hosts."
        )
    hp = keras_tuner.HyperParameters.from_config(work["hyperparameters"])
    parent = Path(work["parent"]) if work["parent"] else None
    return Work(work["trial_id"], hp, folder, parent), work["on_cluster"]


def report(work: Work, parts: list[Logs]) -> None:
    """Leave the result of this process's trial to the search."""
    result = {"hyperparameters": work.hp.get_config(), "parts": parts}
    rundir.write_json(work.folder / "result.json", result)


class Processes(Scripted):
    """Runs each trial in a process of its own, several at once.

    Args:
        script: the recipe's.
        environments: variables for each of the processes that run at once.
    """

    def __init__(self, script: Script, environments: list[dict[str, str]]):
        super().__init__(script)
        self.slots = len(environments)
        self._threads = ThreadPoolExecutor(self.slots)  # each waits for one process
        self._free = queue.SimpleQueue()
        for environment in environments:
            self._free.put(environment)
        self._lock, self._closed = threading.Lock(), False
        self._processes: set[subprocess.Popen] = set()

    def submit(self, work):
        return self._threads.submit(self._run, work)

    def _run(self, work: Work) -> tuple[Any, ...]:
        environment = self._free.get()
        try:
            return process.run(**self.call(work, environment), started=self._started)
        finally:
            self._free.put(environment)

    def _started(self, started: subprocess.Popen) -> None:
        with self._lock:
            self._processes = {p for p in self._processes if p.returncode is None} | {started}
            if self._closed:
                started.kill()

    def close(self):
        with self._lock:
            self._closed = True
            for started in self._processes:
                started.kill()
        self._threads.shutdown(cancel_futures=True)


def shares(parallel: int, asked: str) -> list[dict[str, str]]:
    """Return the variables that divide this machine among `parallel` processes: GPUs in turn if
    the requested devices are GPUs, and CPU cores in equal shares."""
    from kcatalog.recipe.devices.select import available, resolve

    if parallel == 1:
        return [{}]
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    environments = [threads(cores // parallel) for _ in range(parallel)]
    kind, count = resolve(asked, 1)
    if kind == "gpu":
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        gpus = visible.split(",") if visible else [str(i) for i in range(available("gpu"))]
        for number, environment in enumerate(environments):
            mine = [gpus[(number * count + i) % len(gpus)] for i in range(count)]
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(mine)
    return environments


def threads(cores: int) -> dict[str, str]:
    """Return the variables that limit a process to `cores`, except those that the user set."""
    return {name: str(max(1, cores)) for name in THREADS if name not in os.environ}


def _reason(code: int, said: str) -> str:
    """Say how a process ended that left no result."""
    lines = said.strip().splitlines()
    last = lines[-1] if lines else ""
    if code >= 0:
        sentence = last.removeprefix(f"{RecipeError.__module__}.{RecipeError.__name__}: ")
        return sentence or f"Its process ended with exit code {code}."
    name = signal.Signals(-code).name
    perhaps = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    return f"Its process was ended by {name}{perhaps}. {last}".strip()


def prepare(isolated: bool, memory: float | None) -> None:
    """Check the options and leave memory for trials, before the search builds its first model.

    TensorFlow and JAX reserve all of a GPU's memory when they first use it, unless these variables
    are set; the processes of trials would find none.
    """
    if memory and not isolated:
        raise RecipeError(
            "--trial-memory needs trials in processes of their own: add --isolate or --parallel 2."
        )
    if memory and not process.STATM.exists():
        raise RecipeError("--trial-memory works on Linux only.")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
