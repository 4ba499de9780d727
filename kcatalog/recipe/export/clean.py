"""Clean processes, one for each runtime, in which exports are tried (`verify`)."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from kcatalog.recipe.export import verify


class Failed(Exception):  # noqa: N818 - the caller decides whether it is an error
    """What went wrong in a clean process."""


class Processes:
    """Processes by runtime, each started when it is first needed."""

    def __init__(self):
        self.running: dict[str, subprocess.Popen] = {}

    def start(self, runtime: str) -> subprocess.Popen:
        """The process of a runtime. Started early, its imports run beside the caller's work."""
        if runtime not in self.running:
            self.running[runtime] = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-P", verify.__file__, runtime],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
            )
        return self.running[runtime]

    def examine(self, runtime: str, **job) -> dict:
        """What `verify.examine` says of a job. One that ends the process ends only that one.

        Raises:
            Failed: it has not got so far.
        """
        job = {k: str(v.resolve()) if isinstance(v, Path) else v for k, v in job.items()}
        process = self.start(runtime)
        try:
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
        except (OSError, ValueError) as e:
            self.stop(self.running.pop(runtime))
            raise Failed(f"the verifying process ended with code {process.returncode}") from e
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    @staticmethod
    def stop(process: subprocess.Popen) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.2)  # one that crashed ends by itself, and says why
        _end(process)


@contextlib.contextmanager
def processes() -> Iterator[Processes]:
    """Processes that end with the block."""
    clean = Processes()
    try:
        yield clean
    finally:
        for process in clean.running.values():
            _end(process)


def _end(process: subprocess.Popen) -> None:
    process.kill()
    with contextlib.suppress(BrokenPipeError), process:  # what it has not read is lost
        pass
