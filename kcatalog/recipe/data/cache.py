"""Samples that were decoded once: kept in memory, or in a file of the run that nobody else sees."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import weakref
from pathlib import Path

import numpy as np


class Memory:
    """Samples by their place. Memory is taken as they come in."""

    def __init__(self, count: int, shape: tuple[int, ...], dtype: np.dtype):
        self._samples, self._kept = np.empty((count, *shape), dtype), np.zeros(count, bool)

    def get(self, place: int) -> np.ndarray | None:
        """Return the sample, or None where it has not been kept."""
        return self._samples[place] if self._kept[place] else None

    def keep(self, place: int, sample: np.ndarray) -> None:
        self._samples[place] = sample
        self._kept[place] = True  # last, for threads that read meanwhile


class Disk:
    """Samples by their place, in a file without a name, which goes when the process does.

    Read and written, not mapped: a full disk is then an error, not the process's end, and memory
    that the system uses to be quick is the system's, to be taken back at any time.
    """

    def __init__(self, count: int, shape: tuple[int, ...], dtype: np.dtype, folder: Path):
        self._shape, self._dtype = shape, np.dtype(dtype)
        self._bytes = self._dtype.itemsize * int(np.prod(shape))
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - open while we live
        weakref.finalize(self, self._file.close)
        self._kept = np.zeros(count, bool)

    def get(self, place: int) -> np.ndarray | None:
        """Return the sample, or None where it has not been kept."""
        if not self._kept[place]:
            return None
        raw = os.pread(self._file.fileno(), self._bytes, place * self._bytes)
        return np.frombuffer(raw, self._dtype).reshape(self._shape)

    def keep(self, place: int, sample: np.ndarray) -> None:
        raw = np.ascontiguousarray(sample).data
        with contextlib.suppress(OSError):  # the disk has filled up: it is decoded again
            written = os.pwrite(self._file.fileno(), raw, place * self._bytes)
            self._kept[place] = written == self._bytes


def cache(count: int, shape: tuple[int, ...], dtype: np.dtype, folder: Path, budget: int):
    """Room for `count` samples: in memory up to `budget` bytes, else in a file in `folder`.

    None where the file would take more than half of what the disk has left.
    """
    needed = count * int(np.prod(shape)) * np.dtype(dtype).itemsize
    if needed <= budget:
        return Memory(count, shape, dtype)
    if 2 * needed > shutil.disk_usage(folder).free:
        return None
    return Disk(count, shape, dtype, folder)
