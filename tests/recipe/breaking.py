"""Disks that fail, and processes that are killed, at a file operation of the test's choice."""

import builtins
import contextlib
import errno
import io
import itertools
import os
import signal
import sys
from pathlib import Path

CHANGES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link")  # audited by Python
KILL, ENOSPC, EROFS = "kill", errno.ENOSPC, errno.EROFS


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
