"""Samples that stay on disk and are decoded when they are asked for."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from kcatalog.on_disk import OnDisk
from kcatalog.recipe.data.cache import cache
from kcatalog.recipe.terminal.errors import RecipeError

MOST_NAMED = 100  # bad files


class Shelf:
    """Files of one kind, each one a sample; what was decoded may be kept.

    Args:
        paths: the files.
        read: `read(path, **how)` decodes a file into an array of `shape` and `dtype`, always the
            same one and finite, or raises a RecipeError that names it.
        shape, dtype: a sample's.
        how: what else decides what a sample looks like, such as a sampling rate.
        version: of `read`, counted up when it makes other samples of the same files.
    """

    def __init__(
        self,
        paths: list[Path],
        read: Callable[..., Any],
        shape: tuple[Any, ...],
        dtype,
        how: dict[Any, Any],
        version: int = 1,
    ):
        self.paths, self.shape, self.dtype = paths, tuple(shape), np.dtype(dtype)
        self.how, self.version, self._read = how, version, read
        self._states = [_state(path) for path in paths]
        self.hashes: dict[int, bytes] = {}
        self._digests: dict[int, bytes] = {}
        self._cache = None

    def keep(self, folder: Path, budget: int) -> None:
        """Keep what is decoded: in memory up to `budget` bytes, else in a file in `folder`."""
        self._cache = cache(len(self.paths), self.shape, self.dtype, folder, budget)

    def decode(
        self, places: np.ndarray, advance: Callable[[int], None] = lambda total: None
    ) -> None:
        """Decode these files, all of which must be readable. One error names all that are not.

        `hashes` has a hash of each sample afterwards. `advance` is called after each file, with
        the number of all.
        """

        def hashed(place: int) -> None:
            try:
                sample = np.ascontiguousarray(self.sample(place))
            finally:
                advance(len(places))
            self.hashes[place] = hashlib.sha256(sample.data).digest()

        checked(hashed, places)

    def digest(self, place: int) -> bytes:
        """Return the SHA-256 of a file's content. Each file is read once."""
        if place not in self._digests:
            self._digests[place] = _digest(self.paths[place])
        return self._digests[place]

    def changed(self, place: int) -> bool:
        """Return whether a file has changed since it was first found."""
        return _state(self.paths[place]) != self._states[place]

    @functools.cached_property
    def folder(self) -> Path:
        """The folder that all files are in."""
        return Path(os.path.commonpath([path.parent for path in self.paths]))

    def sample(self, place: int) -> np.ndarray:
        """Return a file's sample. The file must be unchanged since it was first found."""
        path = self.paths[place]
        if self.changed(place):
            size = self._states[place][0]
            raise RecipeError(
                f"{path} must stay as it was when the run began. It has changed since ({size} "
                "bytes then). Put it back and run again, with --resume to continue a search or a "
                "training. A test file may also be replaced or removed."
            )
        kept = self._cache and self._cache.get(place)
        if kept is not None:
            return kept
        sample = self._read(path, **self.how)
        if self._cache:
            self._cache.keep(place, sample)
        return sample


class Files(OnDisk):
    """Samples on disk, used like an array: shape, dtype, length, and indexing, which decodes.

    Args:
        shelf: where the samples stand.
        places: which of them, and in what order; all by default.
    """

    def __init__(self, shelf: Shelf, places: np.ndarray | None = None):
        self.shelf = shelf
        self.places = np.arange(len(shelf.paths)) if places is None else places

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.places), *self.shelf.shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype:
        return self.shelf.dtype

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index) -> np.ndarray:
        places = self.places[index]
        if not np.ndim(places):
            return self.shelf.sample(places)
        samples = np.empty((len(places), *self.shelf.shape), self.dtype)
        for i, place in enumerate(places):
            samples[i] = self.shelf.sample(place)
        return samples

    def name(self, index: int) -> str:
        """Return the path of a sample's file, relative to the folder that all files are in."""
        return self.shelf.paths[self.places[index]].relative_to(self.shelf.folder).as_posix()

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return self[:] if dtype is None else self[:].astype(dtype)

    def digests(self) -> Iterator[bytes]:
        """Yield how files are read and their hashes, which decide the samples."""
        yield repr((self.shelf.version, sorted(self.shelf.how.items()))).encode()
        yield from in_parallel(self.shelf.digest, self.places)


def take(x, places: np.ndarray):
    """Return some samples of an array, or of files, which stay on disk."""
    return Files(x.shelf, x.places[places]) if isinstance(x, Files) else x[places]


def some(x, y: np.ndarray, count: int) -> tuple[Any, ...]:
    """Return at most `count` samples and their labels, from all over a part.

    The first ones of a part may all be of one class.
    """
    places = draw(len(y), count)
    return take(x, places), y[places]


def draw(length: int, count: int) -> np.ndarray:
    """Draw up to `count` of the places below `length`, in order, the same ones every time.

    One comes from each of `count` stretches of equal length, at random within the stretch, in
    case the data repeat themselves.

    >>> draw(3, 5).tolist(), (draw(500, 5) // 100).tolist()
    ([0, 1, 2], [0, 1, 2, 3, 4])
    """
    count = min(count, length)
    edges = np.arange(count + 1) * length // count
    return np.random.default_rng(0).integers(edges[:-1], edges[1:])


def join(first, second):
    """Two arrays, or two parts of the same files, one behind the other."""
    if isinstance(first, Files):
        return Files(first.shelf, np.concatenate([first.places, second.places]))
    return np.concatenate([first, second])


def in_parallel(function: Callable[..., Any], items: Iterable[Any]) -> list[Any]:
    """Apply a function to each item, in order; raise the first error of an item."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(function, items))  # an error cancels what has not begun


def checked(function: Callable[..., Any], items: Iterable[Any]) -> list[Any]:
    """Apply a function to each item, in order. One error names all items that it refuses."""

    def attempt(item):
        try:
            return function(item), None
        except RecipeError as e:
            return None, str(e)

    done = in_parallel(attempt, items)
    bad = [sentence for _, sentence in done if sentence]
    if len(bad) == 1:
        raise RecipeError(bad[0])
    if bad:
        more = [f"and {len(bad) - MOST_NAMED} more"] if len(bad) > MOST_NAMED else []
        raise RecipeError("\n".join([f"{len(bad)} files:", *bad[:MOST_NAMED], *more]))
    return [result for result, _ in done]


def _state(path: Path) -> tuple[int, int]:
    """Return a file's size and time of change; (-1, -1) where there is none."""
    try:
        found = os.stat(path)  # at every access: faster than the path itself
    except OSError:
        return -1, -1
    return found.st_size, found.st_mtime_ns


def _digest(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").digest()
    except OSError as e:
        raise RecipeError(f"{path} cannot be read: {e.strerror}.") from e
