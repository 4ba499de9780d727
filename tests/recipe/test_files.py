"""Samples that stay on disk, and the cache of what was decoded."""

import os
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.io import wavfile

from kcatalog.recipe.data import Images, Labelled, Speech, pixels
from kcatalog.recipe.data.cache import Disk, Memory, cache
from kcatalog.recipe.data.files import Files, Shelf, join, some, take
from kcatalog.recipe.search import folds
from kcatalog.recipe.tasks import batches_of
from kcatalog.recipe.terminal.errors import RecipeError
from tests.recipe.folders import SIZE, draw

GB = 1024**3


class Numbers:
    """Files that hold a number each; a sample is a pair of it. Counts what is decoded."""

    def __init__(self, folder, count=12):
        self.decoded = []
        paths = [folder / f"{i}.txt" for i in range(count)]
        for i, path in enumerate(paths):
            path.write_text(str(i))
        self.files = Files(Shelf(paths, self.read, (2,), "int64", {}))
        self.truth = np.stack([np.arange(count)] * 2, axis=1)

    def read(self, path):
        self.decoded.append(path.stem)
        return np.full(2, int(path.read_text()))


@pytest.fixture
def numbers(tmp_path):
    return Numbers(tmp_path)


def test_files_are_indexed_like_an_array(numbers):
    files, truth = numbers.files, numbers.truth
    assert (files.shape, files.ndim, files.dtype, len(files)) == ((12, 2), 2, np.int64, 12)
    lists = np.array([5, 0, 5]), np.arange(12) % 3 == 0, np.array([], int)
    for index in (3, -1, slice(2, 7), slice(None), *lists):
        np.testing.assert_array_equal(files[index], truth[index], strict=True)
    np.testing.assert_array_equal(np.asarray(files), truth)
    assert np.asarray(files, "float32").dtype == np.float32
    np.testing.assert_array_equal(list(files), truth)


def test_parts_of_files_stay_files(numbers):
    part = take(numbers.files, np.array([4, 2, 9]))
    both = join(part, take(numbers.files, slice(0, 2)))
    assert numbers.decoded == []
    assert both[:].tolist() == [[n, n] for n in (4, 2, 9, 0, 1)]
    np.testing.assert_array_equal(
        join(numbers.truth[:2], numbers.truth[5:]), numbers.truth[[0, 1, *range(5, 12)]]
    )


def test_some_samples_are_of_the_whole_part(numbers):
    y = np.repeat([0, 1, 2], 4)  # class by class, as folders are read
    part, labels = some(numbers.files, y, 6)
    assert isinstance(part, Files)
    assert numbers.decoded == []
    assert set(labels) == {0, 1, 2}
    assert len(np.unique(part.places)) == 6
    np.testing.assert_array_equal(y[part.places], labels)
    np.testing.assert_array_equal(some(numbers.files, y, 6)[0].places, part.places)
    every, labels = some(numbers.truth, y, 20)
    np.testing.assert_array_equal(every, numbers.truth)
    np.testing.assert_array_equal(labels, y)


@pytest.mark.parametrize("memory", [1.0, 0.0], ids=["memory", "disk"])
def test_each_file_is_decoded_once(numbers, tmp_path, memory):
    place = tmp_path / "run"
    place.mkdir()
    numbers.files.shelf.keep(place, int(memory * GB))
    rng = np.random.default_rng(0)
    for _ in range(3):
        order = rng.permutation(12)
        np.testing.assert_array_equal(take(numbers.files, order)[:], numbers.truth[order])
    assert sorted(map(int, numbers.decoded)) == list(range(12))
    assert list(place.iterdir()) == []  # nothing is left, however the process ends


def test_where_samples_are_kept(tmp_path, monkeypatch):
    what = 100, (64, 64), np.dtype("uint8"), tmp_path
    assert isinstance(cache(*what, budget=100 * 64 * 64), Memory)
    assert isinstance(cache(*what, budget=100 * 64 * 64 - 1), Disk)
    free = SimpleNamespace(free=2 * 100 * 64 * 64 - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: free)
    assert cache(*what, budget=0) is None


def test_without_room_files_are_decoded_again(numbers, tmp_path, monkeypatch):
    numbers.files.shelf.keep(tmp_path, 0)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    for _ in range(2):
        np.testing.assert_array_equal(numbers.files[:], numbers.truth)
    assert len(numbers.decoded) == 24


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("change", ["truncated", "written to", "gone"])
def test_a_file_that_changes_is_named(numbers, tmp_path, change, kept):
    if kept:
        numbers.files.shelf.keep(tmp_path, GB)
    assert numbers.files[11].tolist() == [11, 11]
    file = numbers.files.shelf.paths[11]
    if change == "gone":
        file.unlink()
    elif change == "truncated":
        file.write_text("1")
    else:
        file.write_text("12")
        os.utime(file, ns=(0, 0))
    with pytest.raises(RecipeError, match=r"11\.txt must stay as it was.*2 bytes"):
        numbers.files[np.array([3, 11])]


def test_the_fingerprint_is_of_the_files_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(Shelf, "sample", None)  # nothing is decoded
    folder = draw(tmp_path / "a", 6)
    one, other = (Images(size=SIZE).load(folder) for _ in range(2))
    assert one.fingerprint == other.fingerprint
    assert one.fingerprint != Images(size=SIZE + 1).load(folder).fingerprint
    assert one.fingerprint != Images(size=SIZE).load(folder, seed=1).fingerprint
    file = folder / "cats" / "0000.jpg"
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    changed = Images(size=SIZE).load(folder).fingerprint
    monkeypatch.setattr(pixels, "DECODING", pixels.DECODING + 1)
    decoded_otherwise = Images(size=SIZE).load(folder).fingerprint
    assert len({one.fingerprint, changed, decoded_otherwise}) == 3


def record(folder, count):
    """Tones of both classes."""
    for name in "ab":
        (folder / name).mkdir()
        for i in range(count):
            wavfile.write(folder / name / f"{i}.wav", 1000, np.sin(np.arange(500.0) * i + 1))
    return folder


def test_how_sound_is_read_is_part_of_the_fingerprint(tmp_path):
    slow, fast = Speech(rate=1000, seconds=0.4), Speech(rate=2000, seconds=0.2)
    folder = record(tmp_path, 4)
    slow, fast = slow.load(folder), fast.load(folder)
    assert slow.input_shape == fast.input_shape
    assert slow.fingerprint != fast.fingerprint


@pytest.mark.parametrize("task", ["classification", "embedding"])
def test_batches_from_disk_are_those_from_memory(tmp_path, task):
    images = Images(size=SIZE)
    source = images if task == "classification" else Labelled(images, Speech())
    data, hp = source.load(draw(tmp_path, 12)), SimpleNamespace(values={})
    lazy = batches_of(data, hp, 8, seed=3)
    arrays = SimpleNamespace(task=data.task, train=(data.train[0][:], data.train[1]))
    eager = batches_of(arrays, hp, 8, seed=3)
    assert isinstance(lazy.x, Files)
    for epoch in (0, 4):
        for batches in (lazy, eager):
            batches.start(epoch)
        for step in range(len(eager)):
            for a, b in zip(lazy[step], eager[step], strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", ["images", "speech"])
def test_folders_and_folds_stay_on_disk(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(Shelf, "sample", None)
    folder = (draw if kind == "images" else record)(tmp_path, 12)
    data = Labelled(Images(size=SIZE), Speech(rate=1000, seconds=0.4)).load(folder)
    assert data.train[0].dtype == ("uint8" if kind == "images" else "float32")
    for part in folds.parts(data, 3, seed=0):
        assert isinstance(part.train[0], Files)
        places = np.concatenate([part.train[0].places, part.validation[0].places])
        known = np.concatenate([data.train[0].places, data.validation[0].places])
        assert sorted(places) == sorted(known)


def test_a_broken_header_is_told_of_before_anything_is_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(Shelf, "sample", None)
    (draw(tmp_path, 4) / "dogs" / "0002.jpg").write_bytes(b"no image")
    with pytest.raises(RecipeError, match=r"0002\.jpg must be an image"):
        Images().load(tmp_path)
