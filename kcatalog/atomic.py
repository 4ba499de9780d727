"""Files that are written whole or not at all; needs no Keras."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

UNFINISHED = ".unfinished-"  # prefix of the names of files that are being written


@contextlib.contextmanager
def atomic_write(file: Path) -> Iterator[Path]:
    """Yield a temporary path that replaces `file` at the end; after an error `file` is unchanged.

    The content reaches the disk before the renaming, so a power cut cannot leave an empty file
    under the final name. A temporary file left by a kill is overwritten the next time.
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
    """Wait until the content of a file is on the disk."""
    with file.open("rb") as stream:
        os.fsync(stream.fileno())
