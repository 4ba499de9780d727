"""Both ends of a trial's process: the search starts it and waits, the trial ends with the search.

The process has memory of its own, which goes with it, and it may crash. Ray copies this module to
its workers, so that they do not have to import Keras: it imports nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

GB = 1024**3
STATM = Path("/proc/self/statm")  # in pages
NO_FOLDER = None  # instead of an exit code: this host does not see the trial's folder


def run(
    arguments: list[str],
    folder: str,
    work: dict[Any, Any],
    environment: dict[str, str],
    cwd: str,
    started: Callable[..., Any] = lambda process: None,
) -> tuple[int | None, str, dict[Any, Any] | None]:
    """Run a trial. Return its exit code, its standard error and its result, if it left one.

    Args:
        arguments: the script and its arguments.
        folder: the trial's folder.
        work: the content of `work.json`, which the trial reads.
        environment: variables added to this process's.
        cwd: the directory in which relative paths of the user's are meant.
        started: is called with the process.
    """
    result, errors = Path(folder, "result.json"), Path(folder, "stderr.txt")
    if not Path(folder).is_dir():
        return NO_FOLDER, socket.gethostname(), None
    result.unlink(missing_ok=True)
    Path(folder, "work.json").write_text(json.dumps(work), encoding="utf-8")
    with (
        errors.open("wb") as stderr,
        subprocess.Popen(  # noqa: S603 - the recipe itself
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,  # never written to: its end shows that the search ended
            stderr=stderr,
            cwd=cwd,
            env={**os.environ, **environment},
        ) as process,
    ):
        started(process)
        try:
            code = process.wait()
        except BaseException:
            process.kill()
            raise
    said = errors.read_text(encoding="utf-8", errors="replace")
    if not result.exists():
        return code, said, None
    errors.unlink()
    return code, said, json.loads(result.read_text(encoding="utf-8"))


def attend(memory: float | None) -> None:
    """Exit when the search exits or the memory limit (GB) is exceeded, and let Linux's OOM killer
    pick this process first."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    threading.Thread(target=_exit_with_search, daemon=True).start()
    if memory:
        threading.Thread(target=_exit_above, args=(memory,), daemon=True).start()


def _exit_with_search() -> None:
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def _exit_above(limit: float) -> None:
    while (used := memory_used()) <= limit * GB:
        time.sleep(0.1)
    print(f"It took {used / GB:.2f} GB. --trial-memory allows {limit:g}.", file=sys.stderr)
    sys.stderr.flush()
    os._exit(1)


def memory_used() -> int:
    """Return the bytes of memory that this process occupies."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
