"""Start a trial in a process of its own and wait for it.

Ray copies this module to its workers, so that they do not have to import Keras: it imports nothing
but the standard library.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

NO_FOLDER = None  # instead of an exit code: this host does not see the trial's folder


def run(
    arguments: list[str],
    folder: str,
    work: dict,
    environment: dict[str, str],
    cwd: str,
    started: Callable = lambda process: None,
) -> tuple[int | None, str, dict | None]:
    """Run a trial. Return its exit code, its standard error and what it found, if anything.

    Args:
        arguments: the script and its arguments.
        folder: the trial's folder.
        work: what the trial has to do, for `work.json`.
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
