"""Progress: a bar or a spinner in a terminal, a line elsewhere. Without Keras."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PATIENCE = 1.0  # seconds before a bar appears
LONG = 2.0  # seconds before a log gets a line


@contextlib.contextmanager
def bar(about: str, console: Console) -> Iterator[Callable[[int], None]]:
    """Show a bar in a terminal, if it takes longer than a second; a log gets one line after two.

    Yields a function to call after each of `total` steps, with `total`; in any thread.
    """
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    shown = Progress(*columns, TimeRemainingColumn(), console=console, transient=True)
    task, began, once = shown.add_task(about, total=None), time.monotonic(), threading.Lock()

    def advance(total: int) -> None:
        shown.update(task, advance=1, total=total)
        passed = time.monotonic() - began
        if console.is_terminal and passed > PATIENCE:
            shown.start()
        elif not console.is_terminal and passed > LONG and once.acquire(blocking=False):
            done = shown.tasks[0].completed
            left = duration(passed * (total - done) / done)
            console.print(f"{about}: {done} of {total}, about {left} left.")

    try:
        yield advance
    finally:
        if shown.live.is_started:
            shown.stop()


@contextlib.contextmanager
def wait(about: str, console: Console) -> Iterator[None]:
    """Show that one step of unknown length is under way: a spinner in a terminal, else a line."""
    if not console.is_terminal:
        console.print(f"{about} ...")
    with console.status(about):
        yield


def duration(seconds: float) -> str:
    """Return a time in words, as precise as an estimate is.

    >>> duration(0.4), duration(44), duration(100), duration(3000), duration(9000)
    ('1 second', '45 seconds', '2 minutes', '50 minutes', '2.5 hours')
    """
    if seconds < 10:
        number, unit = max(1, round(seconds)), "second"
    elif seconds < 90:
        number, unit = 5 * round(seconds / 5), "second"
    elif seconds < 90 * 60:
        number, unit = round(seconds / 60), "minute"
    else:
        number, unit = round(seconds / 3600, 1), "hour"
    return f"{number:g} {unit}{'' if number == 1 else 's'}"
