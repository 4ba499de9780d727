"""Trials in processes of their own: what happens to them does not happen to the search."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras_tuner
import pytest

from kcatalog.recipe.devices import base, select
from kcatalog.recipe.search import isolation, runners
from kcatalog.recipe.search.trial import Training, Work
from tests.recipe import crashing
from tests.recipe.conftest import BACKEND, ROOT

linux = pytest.mark.skipif(not isolation.STATM.exists(), reason="needs /proc")
PINNED = ("--set", "units=4", "--set", "optimizer=Adam", "--set", "dropout.rate=0.2")
PINNED += ("--set", "optimizer.Adam.learning_rate=0.01")


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@linux
@pytest.mark.slow
def test_a_crash_marks_the_trial_failed_and_the_search_goes_on(call, tmp_path):
    limit = ("--parallel", 3, "--trial-memory", 2)
    done = call("tune", "--trials", 9, "--trial-epochs", 2, *PINNED, *limit, recipe=crashing.recipe)
    assert done.code == 0, done.err
    assert "All 3 combinations of hyperparameters were tried." in done.out
    run, ended = done.folder / "runs" / "crashing" / "1", {}
    for file in (run / "tuning").glob("trial_*/trial.json"):
        facts = json.loads(file.read_text())
        last = (facts["message"] or "").strip().rpartition("\n")[2].partition("RecipeError: ")[2]
        ended[facts["hyperparameters"]["values"]["fate"]] = (facts["status"], last, facts["score"])
    status, reason, _ = ended["killed"]
    assert status == "FAILED"
    assert reason == (
        "Its process was ended by SIGKILL, as the system does when memory runs out. "
        "about to be killed"
    )
    status, reason, _ = ended["greedy"]
    assert status == "FAILED"
    assert reason.startswith("It took 2.")
    assert reason.endswith("GB. --trial-memory allows 2.")
    assert all(reason in done.out for _, reason, _ in ended.values())
    assert json.loads((run / "hyperparameters.json").read_text())["fate"] == "fine"

    # the same trial in this process
    hp = keras_tuner.HyperParameters()
    hp.values.update(json.loads((run / "hyperparameters.json").read_text()))
    data = crashing.recipe.source.load(None, 0)
    training = Training(crashing.build, data, "val_accuracy", 2, 16, 0, tmp_path / "logs")
    parts = training.run(Work("here", hp, tmp_path / "here"))
    assert ended["fine"] == ("COMPLETED", "", max(logs["val_accuracy"] for logs in parts[0]))


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
    for module in (base, select):
        monkeypatch.setattr(module, "available", lambda kind: 4 if kind == "gpu" else 0)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [share["CUDA_VISIBLE_DEVICES"] for share in runners.shares(3, asked)] == expected


def test_memory_is_only_limited_in_a_process(call):
    refused = call("tune", "--trial-memory", 2)
    assert refused.code == 2
    assert "--trial-memory needs trials in processes of their own" in refused.err
    assert not (refused.folder / "runs").exists()


def test_the_last_line_of_stderr_says_why():
    said = "noise\nkcatalog.recipe.terminal.errors.RecipeError: The disk is full.\n\n"
    assert runners._reason(2, said) == "The disk is full."
    assert runners._reason(-signal.SIGSEGV, "") == "Its process was ended by SIGSEGV."
    assert runners._reason(1, "") == "Its process ended with exit code 1."


def poll(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "too late"
        time.sleep(0.05)


@linux
@pytest.mark.slow
@pytest.mark.parametrize(
    "number",
    [
        signal.SIGKILL,
        *(pytest.param(s, marks=pytest.mark.soak) for s in (signal.SIGINT, signal.SIGTERM)),
    ],
    ids=lambda s: s.name,
)
def test_a_trial_ends_with_its_search(tmp_path, number):
    """However that ends: else it would go on writing into a run that somebody resumes."""
    script = [sys.executable, str(ROOT / "tests" / "recipe" / "crashing.py")]
    tuning = subprocess.Popen(
        [*script, "tune", "--trials", "1", "--isolate"],
        cwd=tmp_path,
        env={**os.environ, "KERAS_BACKEND": BACKEND, "WAIT": "yes"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    waiting = tmp_path / "waiting"
    try:
        poll(lambda: waiting.exists() and waiting.read_text())
        tuning.send_signal(number)
        assert tuning.wait(timeout=120) in (-signal.SIGKILL, 130, 143)
        process = Path("/proc") / waiting.read_text()
        poll(lambda: not process.exists() or " Z " in (process / "stat").read_text())
    finally:
        tuning.kill()
        tuning.wait()
    facts = json.loads(next(tmp_path.glob("runs/*/1/tuning/trial_*/trial.json")).read_text())
    assert facts["status"] == "RUNNING"  # to be resumed, not failed
