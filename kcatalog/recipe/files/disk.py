"""Locks on directories, temporary directories, and errors of the disk."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from kcatalog.atomic import UNFINISHED, atomic_write, sync
from kcatalog.recipe.terminal.errors import RecipeError

__all__ = ["atomic_write", "disk_error", "empty", "file_lock", "sync", "workspace"]
LOCK = ".lock"

# Errors of the disk or the system's limits, rather than of the program
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)
DISK_ERRORS += (errno.EIO, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG)
DISK_ERRORS += (errno.EMFILE, errno.ENFILE)
IN_MESSAGES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # of libraries' own errors


@contextlib.contextmanager
def file_lock(folder: Path, wait: bool = False) -> Iterator[None]:
    """Lock `folder` for this process; another process gets an error, or waits.

    The operating system releases the lock when the process ends, however it ends. Child processes
    do not inherit it. The locked file is not removed: otherwise two processes could each hold a
    lock on a different file of that name.
    """
    try:
        import fcntl
    except ImportError:  # Windows has no fcntl, so there is no lock
        yield
        return
    with (folder / LOCK).open("a+", encoding="utf-8") as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except (BlockingIOError, PermissionError) as e:  # depending on the system
            raise RecipeError(
                f"{folder} is in use by {_holder(lock)}. Wait until it has finished, or choose "
                "another --run-dir."
            ) from e
        lock.truncate(0)
        lock.write(f"process {os.getpid()} on {socket.gethostname()}")
        lock.flush()
        yield


def _holder(lock) -> str:
    """Return the process that holds a lock, in words."""
    for _ in range(20):  # it may have taken the lock without having written its name yet
        lock.seek(0)
        if name := lock.read():
            return name
        time.sleep(0.01)
    return "another process"


@contextlib.contextmanager
def workspace(folder: Path) -> Iterator[Path]:
    """Yield a temporary directory in `folder`, removed at the end.

    One process at a time works in `folder`, and others wait for it. So whatever unfinished there is
    when it begins was left by a killed process, and is removed.
    """
    with file_lock(folder, wait=True):
        for left in folder.glob(UNFINISHED + "*"):
            _remove(left)
        place = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=folder))
        try:
            yield place
        finally:
            _remove(place)


def _remove(place: Path) -> None:
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink()


def empty(folder: Path, but: tuple[str, ...] = ()) -> bool:
    """Return whether a directory holds nothing but these files, the lock and temporary files."""
    names = {f.name for f in folder.iterdir()} - {LOCK, *but}
    return all(name.startswith(UNFINISHED) for name in names)


def disk_error(e: BaseException) -> str | None:
    """Describe an error of the disk; return None for other errors.

    TensorFlow and HDF5 raise their own exceptions, with the system's message in their text.
    """
    if isinstance(e, OSError) and e.errno in DISK_ERRORS:
        return f"Cannot open or write {e.filename or 'a file'}: {os.strerror(e.errno)}"
    words = (os.strerror(code) for code in IN_MESSAGES)
    found = next((w for w in words if w in str(e)), None)
    return found and f"Cannot write a file: {found}"
