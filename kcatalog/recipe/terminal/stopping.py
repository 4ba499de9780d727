"""Ctrl-C and SIGTERM: a run stops as a killed one does, and says how to go on."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

MOMENT = 0.05  # seconds
CODES = (128 + signal.SIGINT, 128 + signal.SIGTERM)


class Stopped(Exception):  # noqa: N818 - no error
    """What to tell the user, and the exit code: 128 and the signal's number, as in shells."""

    def __init__(self, sentence: str, code: int):
        super().__init__(sentence)
        self.code = code


class Terminated(KeyboardInterrupt):
    """SIGTERM, which thereby ends what Ctrl-C ends, helper processes included."""


@contextlib.contextmanager
def signals() -> Iterator[None]:
    """Ctrl-C and SIGTERM inside raise `Stopped`.

    Typer has an answer of its own to `KeyboardInterrupt`, another one from version to version.
    """
    try:
        with _sigterm_interrupts(), _lost_ones_come_again():
            yield
    except KeyboardInterrupt as e:
        number = signal.SIGTERM if isinstance(e, Terminated) else signal.SIGINT
        how = " ".join(getattr(e, "__notes__", ["Nothing was begun: start it again."]))
        raise Stopped(f"Stopped. {how}", 128 + number) from e


@contextlib.contextmanager
def resumable(run: Path) -> Iterator[None]:
    """What is stopped inside tells how to go on with this run."""
    try:
        yield
    except KeyboardInterrupt as e:
        e.add_note(f"What is finished is kept. To go on, add: --resume --run-dir {run}")
        raise


@contextlib.contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # only that one is asked
        yield
        return

    def interrupt(number, frame):
        raise Terminated

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _lost_ones_come_again() -> Iterator[None]:
    """What Python raises inside a destructor, or a callback of its garbage collector such as
    JAX's, is printed and lost. A signal that meets this fate is sent once more, a moment later."""
    before = sys.unraisablehook

    def hook(lost) -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            before(lost)
            return
        number = signal.SIGTERM if issubclass(lost.exc_type, Terminated) else signal.SIGINT
        threading.Timer(MOMENT, os.kill, (os.getpid(), number)).start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


def leave(code: int) -> None:
    """End this process at once. Threads of `tf.data` that still fetch would abort it on a slower
    way out, when they find Python gone."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
