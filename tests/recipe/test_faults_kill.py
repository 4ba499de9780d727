"""A process that is killed at any moment loses nothing: what follows ends with the same bits."""

import io
import itertools
import json
import random
import shutil
import zipfile

import h5py
import numpy as np
import pytest

from kcatalog.recipe.files import disk
from kcatalog.recipe.training import checkpoint
from tests.recipe.conftest import TRAIN, start

TUNE = ("tune", "--trials", "2", "--trial-epochs", "1", "--run-dir", "run")
EXPORT = ("export", "--run-dir", "run")

# how many kills, and how many of them one run has to bear
few_or_many = pytest.mark.parametrize(
    ("kills", "in_one"),
    [pytest.param(3, 3, marks=pytest.mark.slow), pytest.param(50, 1, marks=pytest.mark.soak)],
)


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
    found = {"best": json.loads((folder / "run" / "hyperparameters.json").read_text())}
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
def uninterrupted(forks, whole_training, tmp_path_factory):
    """Undisturbed runs: command -> how it ended, and its result."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    tuning = forks(*TUNE, folder=folder)
    assert tuning.code == 0, tuning.out
    return {TRAIN: (whole_training[0], trained(whole_training[1])), TUNE: (tuning, tuned(folder))}


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
    begun = ["--resume"] if (folder / "run" / "run.json").exists() else []
    done = forks(*command, *begun, folder=folder, **moment)
    assert done.killed or done.code == 0, done.out
    return done.killed


def to_the_end(forks, command, folder):
    """Go on, or begin again where nothing had begun."""
    done = forks(*command, "--resume", folder=folder)
    if done.code == 2 and "There is no run of tiny in run to resume." in done.out:
        done = forks(*command, folder=folder)
    assert done.code == 0, done.out


def test_a_fork_is_as_good_as_a_fresh_process(whole_training, tmp_path):
    fresh = start(*TRAIN, folder=tmp_path)
    assert fresh.code == 0, fresh.err
    assert trained(tmp_path) == trained(whole_training[1])


@few_or_many
@pytest.mark.parametrize(("command", "result"), [(TRAIN, trained), (TUNE, tuned)])
def test_killed_at_random(forks, uninterrupted, tmp_path, kills, in_one, command, result):
    done, expected = uninterrupted[command]
    coming, killed = moments(done, kills, command[0]), 0
    for number in itertools.count():
        folder, used = tmp_path / str(number), []
        while len(used) < in_one and not (folder / "run" / "model.keras").exists():
            used.append(next(coming))
            killed += kill(forks, command, folder, used[-1])
        if not (folder / "run" / "model.keras").exists():
            to_the_end(forks, command, folder)
        assert result(folder) == expected, used
        shutil.rmtree(folder)
        if killed >= kills:
            return


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


@few_or_many
@pytest.mark.tensorflow
def test_export_killed_at_random(forks, whole_training, tmp_path, kills, in_one):
    folder = tmp_path / "run of"
    shutil.copytree(whole_training[1], folder)
    assert forks("evaluate", "--run-dir", "run", folder=folder).code == 0
    done = forks(*EXPORT, folder=folder)
    assert done.code == 0, done.out
    coming, killed, expected = moments(done, kills, "export"), 0, exported(forks, folder)
    while killed < kills:
        before = {n for n in names(folder / "saved_models" / "tiny") if n.isdigit()}
        for _ in range(in_one):
            killed += forks(*EXPORT, folder=folder, **next(coming)).killed
        again = forks(*EXPORT, folder=folder)
        assert again.code == 0, again.out
        assert exported(forks, folder) == expected
        kept = set(names(folder / "saved_models" / "tiny"))
        assert before <= kept
        assert not any(name.startswith(".") for name in kept), "what the kill left is cleaned"


def test_nothing_is_left_of_a_workspace_wherever_its_process_is_killed(forks, tmp_path):
    def begun(name):
        (tmp_path / name / "run").mkdir(parents=True)
        return tmp_path / name

    operations = forks(folder=begun("0"), task="leave_nothing").operations
    assert operations > 10
    left = 0
    for at in range(1, operations + 1):
        folder = begun(str(at))
        forks(folder=folder, task="leave_nothing", at=at)
        left += any((folder / "run").iterdir())
        with disk.workspace(folder / "run"):
            pass
        assert list((folder / "run").iterdir()) == [], at
    assert left > 5
