"""Which workers there are: each holds a folder of its own, and writes a new number into it now and
then. A worker whose lock is free again, or whose number stays the same, is gone.

The lock tells at once, where hosts see each other's locks; the number tells everywhere, by the
clock of the one who looks alone.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from kcatalog.recipe.files import disk
from kcatalog.recipe.terminal.errors import RecipeError

EVERY = 5.0  # seconds between two numbers
DEADLINE = 60.0  # seconds with the same number after which a worker counts as gone


@contextlib.contextmanager
def present(folder: Path) -> Iterator[str]:
    """Be there, under the first name of this host that nobody has.

    A worker that starts again gets the name, and thereby the trial, of the one that was killed.
    """
    host = socket.gethostname().replace("chief", "host")  # KerasTuner knows the chief by that
    for number in itertools.count(1):
        place = folder / f"{host}-{number}"
        place.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(disk.file_lock(place))
            except RecipeError:
                continue
            over = threading.Event()
            threading.Thread(target=_beat, args=(place / "beat", over), daemon=True).start()
            stack.callback(over.set)
            yield place.name
            return


def _beat(file: Path, over: threading.Event) -> None:
    """Show that this process lives. One that was asleep for long has been given up: it ends, as
    its trial is somebody else's."""
    last = _now()
    for number in itertools.count(os.getpid()):
        with contextlib.suppress(OSError):
            file.write_text(str(number), encoding="utf-8")
        if over.wait(EVERY):
            return
        if _now() - last > DEADLINE:
            print("This worker was stopped for too long: its trial is another's.", file=sys.stderr)
            sys.stderr.flush()
            os._exit(2)
        last = _now()


def _now() -> float:
    """Seconds, those in which this machine sleeps included where the system counts them."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class Watch:
    """Sees which workers are gone."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._held: set[str] = set()  # whose lock was seen
        self._beats: dict[str, tuple[str, float]] = {}  # last number, and since when

    def here(self) -> set[str]:
        """Workers whose lock is seen, whether or not they have asked for a trial."""
        return {place.name for place in self._folder.glob("*") if _held(place)}

    def gone(self, name: str) -> bool:
        """Whether a worker is gone. To be asked for the first time while it is there."""
        place, now = self._folder / name, time.monotonic()
        held, number = _held(place), _number(place / "beat")
        if held:
            self._held.add(name)
        known, since = self._beats.get(name, (None, now))
        if number != known:
            self._beats[name] = number, since = number, now
        if (held is False and name in self._held) or now - since > DEADLINE:
            self._held.discard(name)
            self._beats.pop(name)
            return True
        return False


def _held(place: Path) -> bool | None:
    """Whether a worker holds its folder; None where the folder is not seen yet."""
    try:
        with disk.file_lock(place):
            return False
    except FileNotFoundError:
        return None
    except RecipeError:
        return True


def _number(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return ""
