"""A process that is stopped at any moment loses nothing: what follows ends with the same bits."""

import io
import itertools
import json
import os
import random
import shutil
import signal
import zipfile

import h5py
import numpy as np
import pytest

from kcatalog.recipe.files import run_toml
from kcatalog.recipe.training import checkpoint
from tests.recipe.breaking import ENOSPC, EROFS
from tests.recipe.conftest import start

TRAIN = ("train", "--epochs", "3", "--run-dir", "run")
TUNE = ("tune", "--trials", "2", "--trial-epochs", "1", "--run-dir", "run")
EXPORT = ("export", "--run-dir", "run")
KILLS = 50  # of each command in the soak


def trained(folder):
    """A run's weights, bit for bit, and what is known of each epoch."""
    facts = json.loads((folder / "run" / "training.json").read_text())
    found = {name: facts[name] for name in ("epochs", "best_epoch", "history")}

    def look(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = item[()].tobytes()

    with zipfile.ZipFile(folder / "run" / "model.keras") as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(content) as weights:
        weights.visititems(look)
    assert len(found) > 8
    return found


def tuned(folder):
    """The best hyperparameters, and every trial with its values and its score."""
    found = {"best": run_toml.read(folder / "run" / "run.toml")["hyperparameters"]}
    for file in sorted((folder / "run" / "tuning").glob("trial_*/trial.json")):
        trial = json.loads(file.read_text())
        values = trial["hyperparameters"]["values"]
        found[trial["trial_id"]] = (values, trial["score"], trial["best_step"], trial["status"])
    assert len(found) == 3
    return found


def exported(forks, folder):
    """Return the newest version's answers. Every other version is whole as well."""
    versions = [d for d in (folder / "saved_models" / "tiny").iterdir() if d.name.isdigit()]
    assert versions
    for version in versions:
        assert {"saved_model.pb", "manifest.json", "variables"} <= set(names(version))
    assert forks(folder=folder, task="answer").code == 0
    with np.load(folder / "answers.npz") as answers:
        return {k: answers[k].tobytes() for k in answers.files}


def names(folder):
    return [f.name for f in folder.iterdir()]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """`TRAIN` in a fresh process, undisturbed. So forks are as good as that, too."""
    folder = tmp_path_factory.mktemp("undisturbed")
    done = start(*TRAIN, folder=folder)
    assert done.code == 0, done.err
    return trained(folder)


@pytest.mark.slow
def test_stopped_out_of_room_killed_and_damaged_it_ends_as_if_nothing_had_happened(
    forks, undisturbed, tmp_path
):
    done = forks(*TRAIN, folder=tmp_path, once="run/logs", signal=signal.SIGTERM)
    assert done.code == 143, done.out
    assert "Stopped. Finished work is kept. To continue, add: --resume --run-dir run" in done.out
    assert "Traceback" not in done.out

    again = (*TRAIN, "--resume")
    done = forks(*again, folder=tmp_path, below="run/checkpoints", at=20, how=ENOSPC)
    assert done.code == 2, done.out
    assert os.strerror(ENOSPC) in done.out.splitlines()[-1]
    assert "Traceback" not in done.out

    assert forks(*again, folder=tmp_path, below="run/checkpoints", at=80).killed
    file = tmp_path / "run" / "checkpoints" / "last.npz"
    file.write_bytes(file.read_bytes()[:500])

    done = forks(*again, folder=tmp_path)
    assert done.code == 0, done.out
    assert "run/checkpoints/last.npz is damaged" in done.out
    assert "Set aside." in done.out
    assert "Resuming after epoch 1." in done.out
    assert trained(tmp_path) == undisturbed


def test_a_read_only_disk(forks, tmp_path):
    done = forks(*TRAIN, folder=tmp_path, at=1, how=EROFS)
    assert done.code == 2, done.out
    assert os.strerror(EROFS) in done.out.splitlines()[-1]
    assert "Traceback" not in done.out


@pytest.mark.slow
@pytest.mark.tensorflow
def test_an_export_that_is_killed(forks, whole_way, tmp_path):
    shutil.copytree(whole_way.run, tmp_path / "run")
    assert forks(*EXPORT, folder=tmp_path, below="saved_models", at=5).killed
    left = names(tmp_path / "saved_models" / "tiny")
    assert left
    assert not any(name.isdigit() for name in left)
    done = forks(*EXPORT, folder=tmp_path)
    assert done.code == 0, done.out
    kept = names(tmp_path / "saved_models" / "tiny")
    assert "1" in kept
    assert not any(name.startswith(".unfinished") for name in kept)


# --- soak ------------------------------------------------------------------------------------


def moments(done, kills, seed):
    """Random moments of a command, spread over all of it: every other one in time, the others
    in the middle of an operation on a file. More than are asked for, as some come too late."""
    rng = random.Random(seed)
    for number in itertools.count():
        share = (number % kills + rng.random()) / kills
        if number % 2:
            yield {"at": 1 + int(share * done.operations)}
        else:
            yield {"after": share * done.seconds}


def kill(forks, command, folder, moment):
    """Begin, or go on, and be killed. Returns whether it was not too late."""
    begun = ["--resume"] if (folder / "run" / "run.toml").exists() else []
    done = forks(*command, *begun, folder=folder, **moment)
    assert done.killed or done.code == 0, done.out
    return done.killed


def to_the_end(forks, command, folder):
    """Go on, or begin again where nothing had begun."""
    done = forks(*command, "--resume", folder=folder)
    if done.code == 2 and "There is no run of tiny in run to resume." in done.out:
        done = forks(*command, folder=folder)
    assert done.code == 0, done.out


@pytest.mark.soak
@pytest.mark.parametrize(("command", "result"), [(TRAIN, trained), (TUNE, tuned)])
def test_killed_at_random(forks, tmp_path, command, result):
    done = forks(*command, folder=tmp_path)
    assert done.code == 0, done.out
    coming, killed, expected = moments(done, KILLS, command[0]), 0, result(tmp_path)
    while killed < KILLS:
        folder, moment = tmp_path / str(killed), next(coming)
        killed += kill(forks, command, folder, moment)
        if not (folder / "run" / "model.keras").exists():
            to_the_end(forks, command, folder)
        assert result(folder) == expected, moment
        shutil.rmtree(folder)


@pytest.mark.soak
@pytest.mark.parametrize("share", [n / 50 for n in range(50)])
def test_a_disk_that_fails_at_any_moment(forks, undisturbed, tmp_path, share):
    """From some operation on every one fails: one sentence; and when there is room again,
    the run ends as if nothing had happened."""
    whole = forks(*TRAIN, folder=tmp_path / "whole")
    done = forks(*TRAIN, folder=tmp_path, at=1 + int(share * whole.operations), how=ENOSPC)
    assert done.code == 2, done.out
    assert os.strerror(ENOSPC) in done.out.splitlines()[-1]
    to_the_end(forks, TRAIN, tmp_path)
    assert trained(tmp_path) == undisturbed


@pytest.mark.soak
@pytest.mark.tensorflow
def test_export_killed_at_random(forks, whole_way, tmp_path):
    folder = tmp_path / "run of"
    shutil.copytree(whole_way.run, folder / "run")
    done = forks(*EXPORT, folder=folder)
    assert done.code == 0, done.out
    coming, killed, expected = moments(done, KILLS, "export"), 0, exported(forks, folder)
    while killed < KILLS:
        before = {n for n in names(folder / "saved_models" / "tiny") if n.isdigit()}
        killed += forks(*EXPORT, folder=folder, **next(coming)).killed
        again = forks(*EXPORT, folder=folder)
        assert again.code == 0, again.out
        assert exported(forks, folder) == expected
        kept = set(names(folder / "saved_models" / "tiny"))
        assert before <= kept
        assert not any(name.startswith(".unfinished") for name in kept)


# --- every operation -------------------------------------------------------------------------


def test_killed_at_every_operation_of_a_checkpoint(forks, tmp_path):
    """One of the two files is always whole, and never older than the last that was written."""
    operations = forks(folder=tmp_path / "0", task="write_checkpoints").operations
    assert operations > 40
    for at in range(1, operations + 1):
        folder = tmp_path / str(at)
        assert forks(folder=folder, task="write_checkpoints", at=at).killed
        written = folder / "written"
        finished = int(written.read_text() or -1) if written.exists() else -1
        found = []
        for name in ("last.npz", "previous.npz"):
            if (folder / name).exists():
                arrays, progress = checkpoint.read(folder / name)  # never torn
                assert all((a == progress["number"]).all() for a in arrays.values())
                found.append(progress["number"])
        assert max(found, default=-1) >= finished, at
