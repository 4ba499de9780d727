"""Recipes that are killed, or whose disk fails, at a moment of the test's choice.

Importing TensorFlow takes seconds. So a parent process imports everything, runs nothing itself,
and forks a child for each command (`Forks`); what has not begun to compute can be forked, and
`test_faults_kill.py` checks that a child's results are a fresh process's to the last bit.
"""

import builtins
import contextlib
import errno
import io
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHANGES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link")  # audited by Python
KILL, ENOSPC, EROFS = "kill", errno.ENOSPC, errno.EROFS


@dataclass(frozen=True)
class Ended:
    """What a command left: its exit code or -signal, what it printed, and how it went."""

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
            signal: which one; SIGKILL by default.
            at: the number of the file operation that fails, from 1.
            how: how it fails: `KILL` ends the process in its middle, else an error number; from
                then on every further one fails alike, as a full disk stays full.
            environment: variables to set, such as TINY_NAN.
            clock: seconds by which the clock is set back at each look at it.
            below: count the operations in this folder alone, relative to `folder`.
            task: a function of this module to call with the folder, instead of a command.
        """
        folder.mkdir(parents=True, exist_ok=True)
        job |= {"arguments": [str(a) for a in arguments], "folder": str(folder)}
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Ended(**answer, out=(folder / "printed.txt").read_text())


def serve() -> None:
    """The parent process: one job a line, until its input ends."""
    from kcatalog.recipe import commands
    from tests.recipe import tiny

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
            _run(commands, tiny.recipe, job, counted)
        code = _wait(child, job.get("after"), job.get("signal", signal.SIGKILL), began)
        seconds = time.monotonic() - began
        done = counted.stat().st_size if counted.exists() else 0
        print(json.dumps({"code": code, "seconds": seconds, "operations": done}), file=answers)
        answers.flush()


def _import_everything() -> None:
    """What a command would import by and by."""
    import keras_tuner  # noqa: F401
    import tensorboard.plugins.hparams.api  # noqa: F401
    import tensorflow  # noqa: F401

    import kcatalog.recipe.prediction
    import kcatalog.recipe.search
    import kcatalog.recipe.steps  # noqa: F401


def _run(commands, recipe, job: dict, counted: Path) -> None:
    """The child: never returns."""
    code = 70
    try:
        os.chdir(job["folder"])
        os.environ.update(job.get("environment", {}))
        printed = os.open("printed.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(printed, stream)
        sys.argv = ["tiny.py", *job["arguments"]]
        if job.get("clock"):
            looks = itertools.count()
            time.time = lambda: 2e9 - job["clock"] * next(looks)
        below = Path(job["folder"], job.get("below", ""))
        with breaking(below, job.get("at"), job.get("how", KILL), counted):
            if "task" in job:
                code = globals()[job["task"]](Path(job["folder"]))
            else:
                code = commands.run(recipe, job["arguments"])
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def write_checkpoints(folder: Path) -> int:
    """Three checkpoints, one after the other, each keeping the one before."""
    import numpy as np

    from kcatalog.recipe import checkpoint

    for number in range(3):
        arrays = {name: np.full((50, 50), number) for name in ("a", "b")}
        progress = {"number": number}
        last, previous = folder / "last.npz", folder / "previous.npz"
        checkpoint.write(last, arrays, progress, keep=previous)
        (folder / "written").write_text(str(number))
    return 0


def answer(folder: Path) -> int:
    """What the newest export answers to the run's samples."""
    import numpy as np

    from kcatalog.recipe import export, prediction

    with np.load(folder / "run" / "samples.npz") as samples:
        answers = prediction.load(export.newest("tiny"))(point=samples["request"])
    np.savez(folder / "answers.npz", **answers)
    return 0


def _wait(child: int, after: float | None, number: int, began: float) -> int:
    """Wait until a child ends; after a while, send it a signal. Returns its exit code."""
    while after is not None:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() - began >= after:
            os.kill(child, number)
            break
        time.sleep(0.002)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@contextlib.contextmanager
def breaking(folder: Path, at: int | None, how, counted: Path | None = None):
    """The `at`-th operation on files below `folder` fails: opening one to write, each write into
    it (half of it is done then), renaming, removing, and making a directory.

    Every operation adds a byte to the file `counted`, which outlives a kill.
    """
    numbers, below = itertools.count(1), str(folder.resolve())
    tally = os.open(counted, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if counted else None
    broken = False

    def concerns(path) -> bool:
        if isinstance(path, int) or not active:
            return False
        path = os.path.abspath(os.fsdecode(path))
        return path.startswith(below + os.sep) and not path.endswith("printed.txt")

    def step(half=lambda: None) -> None:
        nonlocal broken
        number = next(numbers)
        if tally is not None:
            os.write(tally, b".")
        if at is None or number < at:
            return
        if how == KILL:
            half()
            os.kill(os.getpid(), signal.SIGKILL)
        if not broken:
            broken = True
            half()
        raise OSError(how, os.strerror(how))

    def audit(event: str, arguments: tuple) -> None:
        if event == "open":
            path, _, flags = arguments
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and concerns(path):
                step()
        elif event in CHANGES and concerns(arguments[0]):
            step()

    class Raw(io.FileIO):
        def write(self, data):
            if active:
                step(lambda: super(Raw, self).write(bytes(data)[: len(data) // 2]))
            return super().write(data)

    def opened(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, **more):
        if not set(mode) & set("wax+") or not concerns(file):
            return original(file, mode, buffering, encoding, errors, newline, **more)
        raw = Raw(file, mode.replace("b", "").replace("t", ""), **more)
        stream = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return stream if "b" in mode else io.TextIOWrapper(stream, encoding, errors, newline)

    active, original = True, builtins.open
    sys.addaudithook(audit)  # there for good, hence `active`
    builtins.open = io.open = opened
    try:
        yield
    finally:
        active = False
        builtins.open = io.open = original


if __name__ == "__main__":
    serve()
