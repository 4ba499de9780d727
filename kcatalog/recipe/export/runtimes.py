"""Processes without Keras, one for each runtime, in which exports are checked."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

from kcatalog.recipe.export import check_export


class CheckFailed(Exception):  # noqa: N818 - the caller decides whether it is an error
    """Reason why a check could not be completed."""


class Runtimes(contextlib.AbstractContextManager):
    """Processes by runtime. Each starts when it is first needed and ends with the `with` block."""

    def __init__(self):
        self.running: dict[str, subprocess.Popen] = {}

    def start(self, runtime: str) -> subprocess.Popen:
        """Return the process of a runtime. Started early, it imports while the caller works."""
        if runtime not in self.running:
            self.running[runtime] = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-P", check_export.__file__, runtime],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
            )
        return self.running[runtime]

    def check(self, runtime: str, **job) -> dict:
        """Run a job of `check_export` and return its result.

        Raises:
            CheckFailed: the job raised an error or ended its process. The next job of this
                runtime gets a new process.
        """
        job = {k: str(v.resolve()) if isinstance(v, Path) else v for k, v in job.items()}
        process = self.start(runtime)
        try:
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
        except (OSError, ValueError) as e:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.2)  # for the exit code of a process that crashed
            _end(self.running.pop(runtime))
            raise CheckFailed(f"the checking process ended with code {process.returncode}") from e
        if "error" in answer:
            raise CheckFailed(answer["error"])
        return answer

    def __exit__(self, *_) -> None:
        for process in self.running.values():
            _end(process)


def _end(process: subprocess.Popen) -> None:
    process.kill()
    with contextlib.suppress(BrokenPipeError), process:  # unread input is lost
        pass
