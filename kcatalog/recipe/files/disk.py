"""Files that are whole or not there, and directories that one process at a time writes to."""

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

from kcatalog.recipe.terminal.errors import RecipeError

LOCK = ".lock"
UNFINISHED = ".unfinished-"  # how the names of files begin while they are written

# What is wrong with a disk rather than with a program.
TROUBLES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)
TROUBLES += (errno.EIO, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG)
TROUBLES += (errno.EMFILE, errno.ENFILE)
SPELLED_OUT = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # in libraries' own errors


@contextlib.contextmanager
def atomic_write(file: Path) -> Iterator[Path]:
    """A path to write to: what is there at the end becomes `file` at once, or not at all.

    It reaches the disk before it gets its name, so that a power cut cannot leave an empty file
    under a good name either. What a kill leaves behind is written over the next time.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(UNFINISHED + file.name)
    try:
        yield beside
        sync(beside)
        os.replace(beside, file)
    except BaseException:
        with contextlib.suppress(OSError):  # of a disk that has failed already
            beside.unlink(missing_ok=True)
        raise


def sync(file: Path) -> None:
    """Wait until a file's content is on the disk."""
    with file.open("rb") as stream:
        os.fsync(stream.fileno())


@contextlib.contextmanager
def file_lock(folder: Path, wait: bool = False) -> Iterator[None]:
    """Only this process writes into `folder` meanwhile; another one is refused, or waits.

    The operating system lets go of the lock when the process ends, however it ends. Processes
    that this one starts do not hold it. The file that is locked stays: removing it could part
    two processes that both believe to hold it.
    """
    try:
        import fcntl
    except ImportError:  # Windows has other locks; there nobody is refused
        yield
        return
    with (folder / LOCK).open("a+", encoding="utf-8") as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except (BlockingIOError, PermissionError) as e:  # which one depends on the system
            raise RecipeError(
                f"{folder} is in use by {_holder(lock)}. Wait until that has ended, or choose "
                "another --run-dir."
            ) from e
        lock.truncate(0)
        lock.write(f"process {os.getpid()} on {socket.gethostname()}")
        lock.flush()
        yield


def _holder(lock) -> str:
    """Who holds a lock; it may have taken it so lately that its name is not there yet."""
    for _ in range(20):
        lock.seek(0)
        if name := lock.read():
            return name
        time.sleep(0.01)
    return "another process"


@contextlib.contextmanager
def workspace(folder: Path) -> Iterator[Path]:
    """A directory in `folder` to work in, removed at the end.

    What killed processes have left of theirs is removed, too; nobody holds those any more.
    """
    for other in folder.glob(UNFINISHED + "*"):
        with contextlib.suppress(OSError):
            if (other / LOCK).exists():
                with contextlib.suppress(RecipeError), file_lock(other):
                    _remove(other)
            else:  # killed before it was held or after all was removed: there is nothing in it
                other.rmdir()
    with contextlib.ExitStack() as holding:
        place = _make(folder, holding)
        try:
            yield place
        finally:
            _remove(place)


def _make(folder: Path, holding: contextlib.ExitStack) -> Path:
    """A new directory, held; another one if somebody swept it up before it was."""
    while True:
        place = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=folder))
        with contextlib.suppress(FileNotFoundError, RecipeError):
            holding.enter_context(file_lock(place))
            if place.is_dir():
                return place


def _remove(place: Path) -> None:
    """Remove a directory; its lock goes last, so that what a kill leaves of it is found."""
    for inside in place.iterdir():
        if inside.is_dir() and not inside.is_symlink():
            shutil.rmtree(inside)
        elif inside.name != LOCK:
            inside.unlink()
    (place / LOCK).unlink(missing_ok=True)
    place.rmdir()


def empty(folder: Path) -> bool:
    """Whether a directory holds nothing but what a run leaves that was killed as it began."""
    return all(f.name == LOCK or f.name.startswith(UNFINISHED) for f in folder.iterdir())


def disk_error(e: BaseException) -> str | None:
    """What is wrong with the disk, in words; None where an error has another reason.

    TensorFlow and HDF5 raise errors of their own for it, in whose text the system's words stand.
    """
    if isinstance(e, OSError) and e.errno in TROUBLES:
        return f"Cannot open or write {e.filename or 'a file'}: {os.strerror(e.errno)}"
    words = (os.strerror(code) for code in SPELLED_OUT)
    found = next((w for w in words if w in str(e)), None)
    return found and f"Cannot write a file: {found}"
