"""Memory of the suite on JAX, which keeps every program that it ever compiled."""

import ctypes
import gc
from pathlib import Path

import pytest

LIMIT = 3e9  # bytes of one worker; three of them run beside each other
PAGE = 4096


def resident() -> int:
    """Return the bytes of memory that this process holds, or 0 where Linux does not say."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * PAGE if statm.exists() else 0


class DropPrograms:
    """The pytest plugin that lets go of compiled programs when a worker has grown too large.

    What is needed again comes from the cache on the disk. 300 checks of layers hold 1.2 GB.
    """

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self):
        if resident() < LIMIT:
            return
        import jax

        from kcatalog.conformance import backend

        backend.forget_programs()
        jax.clear_caches()
        gc.collect()
        ctypes.CDLL("libc.so.6").malloc_trim(0)  # glibc keeps freed memory otherwise
