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

DELAY = 0.05  # seconds until a lost signal is sent again
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
        with _interrupts(), _resend_lost_signals():
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

    Keras builds layers within bare `except:` clauses, which catch `KeyboardInterrupt` too.
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


@contextlib.contextmanager
def _resend_lost_signals() -> Iterator[None]:
    """Send a signal again whose exception Python dropped.

    Python prints and drops exceptions in destructors and in callbacks of the garbage collector,
    such as JAX's.
    """
    before = sys.unraisablehook

    def hook(lost) -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            before(lost)
            return
        number = signal.SIGTERM if issubclass(lost.exc_type, Terminated) else signal.SIGINT
        threading.Timer(DELAY, os.kill, (os.getpid(), number)).start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


def leave(code: int) -> None:
    """End this process at once.

    On a normal exit, threads of `tf.data` that still run would abort it after Python has ended.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
