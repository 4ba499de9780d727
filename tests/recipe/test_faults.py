"""Faults outside a recipe; docs/faults.md has a row for each, with its test."""

import contextlib
import errno
import json
import os
import re
import signal
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from kcatalog.recipe.data import Data
from kcatalog.recipe.feed import pipeline
from kcatalog.recipe.files import disk, rundir
from kcatalog.recipe.tasks import batches_of
from kcatalog.recipe.terminal import stopping
from kcatalog.recipe.terminal.errors import RecipeError
from kcatalog.recipe.training import checkpoint
from tests.recipe.breaking import ENOSPC, breaking
from tests.recipe.chores import wait_for
from tests.recipe.conftest import ROOT

ONE_EPOCH = ("train", "--epochs", "1", "--run-dir", "run")
TABLE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")


def test_the_table_names_tests_that_exist():
    rows = [line for line in TABLE.splitlines() if re.match(r"\| [^*]", line)][1:]
    assert len(rows) > 20
    written = "\n".join(f.read_text(encoding="utf-8") for f in Path(__file__).parent.glob("*.py"))
    tests = set(re.findall(r"^def (test_\w+)", written, re.MULTILINE))
    for row in rows:
        *_, named, _ = row.split("|")
        named = re.findall(r"`(test_\w+)`", named)
        assert named, row
        assert set(named) <= tests, row


# --- two processes in one directory ----------------------------------------------------------


def test_the_second_in_one_directory_is_refused(forks, tmp_path):
    """Named are the process and the directory; a kill lets go of it."""
    (tmp_path / "run").mkdir()
    with forks.beside(folder=tmp_path, task="hold") as other:
        wait_for((tmp_path / "held").exists)
        refused = forks(*ONE_EPOCH, folder=tmp_path)
    assert refused.code == 2
    assert refused.out.startswith(f"run is in use by process {other} on ")
    assert len(refused.out.strip().splitlines()) == 1
    with disk.file_lock(tmp_path / "run", wait=True):  # the other one has been killed
        pass


def test_waiting_for_the_other(forks, tmp_path):
    (tmp_path / "run").mkdir()
    entered = threading.Event()

    def enter():
        with disk.file_lock(tmp_path / "run", wait=True):
            entered.set()

    waiting = threading.Thread(target=enter, daemon=True)
    with forks.beside(folder=tmp_path, task="hold"):
        wait_for((tmp_path / "held").exists)
        waiting.start()
        assert not entered.wait(0.3)
        (tmp_path / "release").touch()
        assert entered.wait(30)
    waiting.join()


def test_numbers_of_runs_that_start_together(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    numbers, gate = [], threading.Barrier(8)

    def begin():
        gate.wait()
        with rundir.begin("tiny", None, {"settings": {}}) as run:
            numbers.append(run.path.name)

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == sorted(map(str, range(1, 9)))


def test_workspaces_of_the_killed_are_removed(tmp_path):
    dead = tmp_path / ".unfinished-dead"
    dead.mkdir()
    (dead / "saved_model.pb").touch()
    (tmp_path / ".unfinished-models.config").touch()
    with disk.workspace(tmp_path) as mine:
        assert set(tmp_path.iterdir()) == {mine, tmp_path / disk.LOCK}
    assert list(tmp_path.iterdir()) == [tmp_path / disk.LOCK]


# --- signals ---------------------------------------------------------------------------------


def test_stopped_before_anything_began(forks, tmp_path):
    done = forks("train", "--run-dir", "run", folder=tmp_path, after=0.02, signal=signal.SIGTERM)
    assert done.code in (143, -signal.SIGTERM)  # the latter: before the command line was read
    assert not (tmp_path / "run").exists()


class CatchesAll(keras.layers.Layer):
    """A layer in which a signal arrives, and is caught as Keras does where it builds layers.

    Exceptions that Python drops in a destructor are lost in the same way.
    """

    def call(self, x):
        with contextlib.suppress(BaseException):
            signal.raise_signal(signal.SIGTERM)
        return x


def test_stopped_where_keras_catches_all():
    model = keras.Sequential([keras.layers.Flatten(), CatchesAll(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    part = np.zeros((4, 1), "float32"), np.zeros(4, "float32")
    data = Data("toy", "regression", "number", part, part, part, ())
    batches = batches_of(data, SimpleNamespace(values={}), 2, seed=0)
    with pytest.raises(stopping.Stopped) as stopped, stopping.signals():
        pipeline.fit(model, data, batches, [], epochs=2, verbose=0)
    assert stopped.value.code == 143


# --- disks -----------------------------------------------------------------------------------


def test_a_full_disk_at_every_operation_of_a_checkpoint(tmp_path):
    """The last one that was written can be read, whatever fails."""
    arrays = {"a": np.arange(1000.0)}
    last, previous = tmp_path / "last.npz", tmp_path / "previous.npz"
    checkpoint.write(last, arrays, {"number": 0})
    failed = 0
    for at in range(1, 100):
        with breaking(tmp_path, at, ENOSPC):
            try:
                checkpoint.write(last, arrays, {"number": at}, keep=previous)
                break
            except OSError:
                failed += 1
        newest = last if last.exists() else previous
        assert checkpoint.read(newest)[1] == {"number": 0}
        checkpoint.write(last, arrays, {"number": 0})
    assert failed > 5


def test_a_directory_that_cannot_be_made(call, tmp_path):
    """Root may write anywhere, so a file stands in the way."""
    (tmp_path / "file").touch()
    done = call(*ONE_EPOCH[:-1], "file/run")
    assert done.code == 2
    assert "file/run: Not a directory" in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_troubles_of_disks_in_libraries_own_words():
    class LibraryError(Exception):
        pass

    words = "ResourceExhausted: runs/1/logs; No space left on device [Op:FlushSummaryWriter]"
    assert disk.disk_error(LibraryError(words)) == "Cannot write a file: No space left on device"
    assert disk.disk_error(LibraryError("out of memory")) is None
    assert disk.disk_error(FileNotFoundError(errno.ENOENT, "No such file", "x")) is None
    assert "x" in disk.disk_error(OSError(errno.ENOSPC, "full", "x"))


# --- damaged files ---------------------------------------------------------------------------


def flipped(content, place, mask):
    changed = bytearray(content)
    changed[place] ^= mask
    return bytes(changed)


def test_both_checkpoints_damaged(tmp_path):
    """Training starts again from the first epoch, and both files are named."""
    for name in ("last.npz", "previous.npz"):
        (tmp_path / name).write_bytes(b"torn")
    checkpoints = checkpoint.Checkpoint(tmp_path, "val_loss")
    assert checkpoints.resume(None) == 0
    assert len(checkpoints.damaged) == 2


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.EMFILE, "")])
def test_a_checkpoint_that_cannot_be_read_for_now(tmp_path, monkeypatch, error):
    """It may be whole, so it stays where it is."""
    files = [tmp_path / "last.npz", tmp_path / "previous.npz"]
    for file in files:
        checkpoint.write(file, {"a": np.zeros(1)}, {"history": [], "best_epoch": None})

    def refuse(file, **how):
        raise error

    monkeypatch.setattr(np, "load", refuse)
    with pytest.raises(type(error)):
        checkpoint.Checkpoint(tmp_path, "val_loss").resume(None)
    assert sorted(tmp_path.iterdir()) == files


def test_every_flipped_bit_of_a_checkpoint(tmp_path):
    """Either what was written is read, or the file is refused: never other numbers."""
    file, array = tmp_path / "last.npz", np.arange(20.0)
    checkpoint.write(file, {"a": array}, {"history": [1.0]})
    content, found = file.read_bytes(), 0
    for place in range(len(content)):
        file.write_bytes(flipped(content, place, 1 << place % 8))
        try:
            arrays, progress = checkpoint.read(file)
        except RecipeError:
            found += 1
        else:  # a date, a reserved bit
            assert progress == {"history": [1.0]}
            assert set(arrays) == {"a"}
            assert np.array_equal(arrays["a"], array)
    assert found > 0.6 * len(content)


# --- the clock -------------------------------------------------------------------------------


def test_the_newest_run_is_that_with_the_highest_number(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(11):
        with rundir.begin("tiny", None, {"settings": {}}) as run:
            os.utime(run.path, (0, 2**31 - 1000 * number))
            os.utime(run.path / "run.toml", (0, 2**31 - 1000 * number))
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert rundir.find("tiny", None).path.name == "11"
    with rundir.begin("tiny", None, {"settings": {}}) as run:
        assert run.path.name == "12"


# --- writing ---------------------------------------------------------------------------------


def test_a_file_reaches_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    """A power cut after the renaming must not find an empty file."""
    happened = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (happened.append("fsync"), sync(fd)))
    monkeypatch.setattr(os, "replace", lambda a, b: (happened.append("replace"), replace(a, b)))
    rundir.write_json(tmp_path / "facts.json", {"a": 1})
    assert happened == ["fsync", "replace"]
    assert json.loads((tmp_path / "facts.json").read_text()) == {"a": 1}
    assert [f.name for f in tmp_path.iterdir()] == ["facts.json"]
