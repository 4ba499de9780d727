"""Ctrl-C and SIGTERM: stop the run and print how to resume it."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

CODES = (128 + signal.SIGINT, 128 + signal.SIGTERM)


_received: list[type[KeyboardInterrupt]] = []  # signals since `signals` was entered


class Stopped(Exception):  # noqa: N818 - no error
    """The end of a run by a signal: message and exit code (128 + signal, as in shells)."""

    def __init__(self, message: str, code: int):
        super().__init__(message)
        self.code = code


class Terminated(KeyboardInterrupt):
    """SIGTERM as an exception that is handled wherever Ctrl-C is."""


@contextlib.contextmanager
def signals() -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into `Stopped`.

    Typer's handling of `KeyboardInterrupt` differs from version to version.
    """
    try:
        with _interrupts():
            yield
    except KeyboardInterrupt as e:
        number = signal.SIGTERM if isinstance(e, Terminated) else signal.SIGINT
        how = " ".join(getattr(e, "__notes__", ["No run was started yet."]))
        raise Stopped(f"Stopped. {how}", 128 + number) from e


@contextlib.contextmanager
def resumable(run: Path) -> Iterator[None]:
    """Add the way to resume this run to the message of a stop, or an error, inside."""
    try:
        yield
    except (KeyboardInterrupt, Exception) as e:
        place = shlex.quote(str(run))
        e.add_note(f"Finished work is kept. To continue, add: --resume --run-dir {place}")
        raise


def raise_again() -> None:
    """Raise for a signal whose exception was caught on its way.

    Keras builds layers within bare `except:` clauses, which catch `KeyboardInterrupt` too, and
    Python drops exceptions in destructors. Every training step asks.
    """
    if _received:
        raise _received[-1]


@contextlib.contextmanager
def _interrupts() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # signals reach no other
        yield
        return

    def interrupt(number, frame):
        _received.append(Terminated if number == signal.SIGTERM else KeyboardInterrupt)
        raise_again()

    before = {n: signal.signal(n, interrupt) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        _received.clear()
        for number, handler in before.items():
            signal.signal(number, handler)


def leave(code: int) -> None:
    """End this process at once.

    On a normal exit, threads of `tf.data` that still run would abort it after Python has ended.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
