"""Recipes that are killed, or whose disk fails, at a moment of the test's choice.

Importing TensorFlow takes seconds. So a parent process imports everything, runs nothing itself,
and forks a child for each command (`Forks`). What has not begun to compute can be forked:
`test_faults_kill.py` compares children's results with a fresh process's to the last bit.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.recipe.breaking import KILL, breaking

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    """A finished command: its exit code or -signal, what it printed, and how it went."""

    code: int
    out: str
    seconds: float
    operations: int  # on files in its folder

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL


class Forks:
    """The parent process; a context, so that it ends with the test."""

    def __init__(self, backend: str):
        self.backend = backend

    def __enter__(self):
        environment = {"PYTHONPATH": str(ROOT), "KERAS_BACKEND": self.backend}
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
        )
        return self

    def __exit__(self, *_):
        self._process.communicate(timeout=60)  # ends its input, which ends it

    def __call__(self, *arguments, folder: Path, **job) -> Ended:
        """Run the tiny recipe's command line in a fork.

        Args:
            arguments: of the command line.
            folder: where it runs.
            after: seconds after which it gets `signal`.
            once: instead, a file in `folder` at whose appearance it gets the signal.
            signal: which one; SIGKILL by default.
            at: the number of the file operation that fails, from 1.
            how: how it fails: `KILL` ends the process in its middle, else an error number; from
                then on every further one fails alike, as a full disk stays full.
            environment: variables to set, such as TINY_NAN.
            below: count the operations in this folder alone, relative to `folder`.
            task: instead of a command, a function of `chores.py` that takes the folder.
        """
        answer = self._ask(arguments, folder, job)
        printed = folder / "printed.txt"
        return Ended(**answer, out=printed.read_text() if printed.exists() else "")

    @contextlib.contextmanager
    def beside(self, *arguments, folder: Path, **job):
        """The same, running beside what follows and killed at the end; as its process id.

        What it prints is in `folder / "beside.txt"`.
        """
        process = self._ask(arguments, folder, {**job, "printed": "beside.txt"})["process"]
        try:
            yield process
        finally:
            os.kill(process, signal.SIGKILL)  # its parent has not waited: the id is still its own

    def _ask(self, arguments: tuple, folder: Path, job: dict) -> dict:
        folder.mkdir(parents=True, exist_ok=True)
        job |= {"arguments": [str(a) for a in arguments], "folder": str(folder)}
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def serve() -> None:
    """The parent process: one job a line, until its input ends."""
    from kcatalog.recipe.commands import cli
    from tests.recipe import chores, tiny

    _import_everything()
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        job = json.loads(line)
        counted = Path(job["folder"]) / "operations.txt"
        counted.unlink(missing_ok=True)
        began = time.monotonic()
        child = os.fork()
        if not child:
            answers.close()
            _run(cli, chores, tiny.recipe, job, counted)
        if "printed" in job:
            print(json.dumps({"process": child}), file=answers, flush=True)
            continue
        due = _due(job, began)
        code = _wait(child, due, job.get("signal", signal.SIGKILL))
        seconds = time.monotonic() - began
        done = counted.stat().st_size if counted.exists() else 0
        answer = {"code": code, "seconds": seconds, "operations": done}
        print(json.dumps(answer), file=answers, flush=True)


def _import_everything() -> None:
    """Import everything that a command would import sooner or later."""
    import keras_tuner  # noqa: F401
    import tensorboard.plugins.hparams.api  # noqa: F401
    import tensorflow  # noqa: F401


def _run(cli, chores, recipe, job: dict, counted: Path) -> None:
    """The child: never returns."""
    code = 70
    try:
        os.chdir(job["folder"])
        os.environ.update(job.get("environment", {}))
        printed = job.get("printed", "printed.txt")
        printed = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(printed, stream)
        sys.argv = ["tiny.py", *job["arguments"]]
        below = Path(job["folder"], job.get("below", ""))
        with breaking(below, job.get("at"), job.get("how", KILL), counted):
            if "task" in job:
                code = getattr(chores, job["task"])(Path(job["folder"]))
            else:
                code = cli.run(recipe, job["arguments"])
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _due(job: dict, began: float) -> Callable[[], bool] | None:
    """Return the condition for the signal; None if none is to be sent."""
    if "once" in job:
        return Path(job["folder"], job["once"]).exists
    if "after" in job:
        return lambda: time.monotonic() - began >= job["after"]
    return None


def _wait(child: int, due: Callable[[], bool] | None, number: int) -> int:
    """Wait until a child ends; when it is due, send it a signal. Returns its exit code."""
    while due is not None:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if due():
            os.kill(child, number)
            break
        time.sleep(0.002)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    serve()
