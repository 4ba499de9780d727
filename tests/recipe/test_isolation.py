"""Trials in processes of their own: what happens to them does not happen to the search."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import keras_tuner
import pytest

from kcatalog.recipe.devices import select
from kcatalog.recipe.files import rundir
from kcatalog.recipe.search import process, runners
from kcatalog.recipe.search.trial import Training, Work
from tests.recipe import greedy
from tests.recipe.chores import wait_for
from tests.recipe.conftest import ROOT

linux = pytest.mark.skipif(not process.STATM.exists(), reason="needs /proc")
PINNED = ("--set", "units=4", "--set", "optimizer=Adam", "--set", "dropout.rate=0.2")
PINNED += ("--set", "optimizer.Adam.learning_rate=0.01")


@linux
def test_a_crash_marks_the_trial_failed_and_the_search_goes_on(call, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    limit = ("--parallel", 2, "--trial-memory", 2)
    done = call("tune", "--trials", 9, "--trial-epochs", 2, *PINNED, *limit, recipe=greedy.recipe)
    assert done.code == 0, done.err
    assert "All 2 combinations of hyperparameters were tried." in done.out
    run, ended = done.folder / "runs" / "greedy" / "1", {}
    for file in (run / "tuning").glob("trial_*/trial.json"):
        facts = json.loads(file.read_text())
        last = (facts["message"] or "").strip().rpartition("\n")[2].partition("RecipeError: ")[2]
        ended[facts["hyperparameters"]["values"]["greedy"]] = facts["status"], last, facts["score"]
    status, reason, _ = ended[True]
    assert status == "FAILED"
    assert reason.startswith("It took 2.")
    assert reason.endswith("GB. --trial-memory allows 2.")
    assert reason in done.out
    best = rundir.find("greedy", run).hyperparameters
    assert best["greedy"] is False

    # the same trial in this process
    hp = keras_tuner.HyperParameters()
    hp.values.update(best)
    data = greedy.recipe.source.load(None, 0)
    training = Training(greedy.build, data, "val_accuracy", 2, 16, 0, tmp_path / "logs")
    parts = training.run(Work("here", hp, tmp_path / "here"))
    assert ended[False] == ("COMPLETED", "", max(logs["val_accuracy"] for logs in parts[0]))


def test_a_machine_is_divided_among_trials(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "5")  # the user's own, which stays
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    assert runners.shares(1, "cpu") == [{}]
    three = runners.shares(3, "cpu")
    assert [share["TF_NUM_INTRAOP_THREADS"] for share in three] == ["2"] * 3
    assert not any("OMP_NUM_THREADS" in share or "CUDA_VISIBLE_DEVICES" in share for share in three)
    assert runners.shares(9, "cpu")[8]["TF_NUM_INTRAOP_THREADS"] == "1"


@pytest.mark.parametrize(
    ("asked", "visible", "expected"),
    [
        ("auto", None, ["0", "1", "2"]),
        ("gpu", "5,7", ["5", "7", "5"]),
        ("gpu:2", None, ["0,1", "2,3", "0,1"]),
    ],
)
def test_trials_take_gpus_in_turn(monkeypatch, asked, visible, expected):
    monkeypatch.setattr(select, "available", lambda kind: 4 if kind == "gpu" else 0)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [share["CUDA_VISIBLE_DEVICES"] for share in runners.shares(3, asked)] == expected


def test_why_a_trial_failed():
    said = "noise\nkcatalog.recipe.terminal.errors.RecipeError: The disk is full.\n\n"
    assert runners._reason(2, said) == "The disk is full."
    assert runners._reason(1, "") == "Its process ended with exit code 1."
    assert runners._reason(-signal.SIGSEGV, "") == "Its process was ended by SIGSEGV."
    assert runners._reason(-signal.SIGKILL, "noise\nlast words") == (
        "Its process was ended by SIGKILL, as the system does when memory runs out. last words"
    )


# Trial and search without Keras: the module imports nothing but the standard library.
TRIAL = """
import os, pathlib, process, time
process.attend(None)
pathlib.Path("waiting").write_text(str(os.getpid()))
time.sleep(600)
"""
SEARCH = "import process, sys; process.run(['-c', sys.argv[1]], '.', {}, {}, '.')"


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """`import process` works in other processes; a function that waits for the trial's process."""
    monkeypatch.setenv("PYTHONPATH", str(Path(process.__file__).parent))
    waiting = tmp_path / "waiting"

    def trial():
        wait_for(lambda: waiting.exists() and waiting.read_text())
        return Path("/proc") / waiting.read_text()

    return trial


@linux
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda s: s.name)
def test_a_trial_ends_with_its_search(alone, tmp_path, number):
    """However that ends: else it would go on writing into a run that somebody resumes."""
    search = subprocess.Popen([sys.executable, "-c", SEARCH, TRIAL], cwd=tmp_path)
    trial = alone()
    search.send_signal(number)
    assert search.wait() == -number
    wait_for(lambda: not trial.exists() or " Z " in (trial / "stat").read_text())


def test_a_search_that_stops_ends_its_trials(alone, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trial.py").write_text(TRIAL)
    (tmp_path / "0").mkdir()
    runner = runners.Processes(runners.Script("trial.py", [], "cpu"), [{}])
    future = runner.submit(Work("0", keras_tuner.HyperParameters(), tmp_path / "0"))
    alone()
    runner.close()
    code, _, found = future.result(60)
    assert (code, found) == (-signal.SIGKILL, None)
