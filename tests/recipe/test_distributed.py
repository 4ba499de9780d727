"""One search on many hosts: processes of this machine, and threads where no process must die."""

import contextlib
import dataclasses
import errno
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import types
from collections.abc import Callable
from pathlib import Path

import keras_tuner
import pytest
from rich.console import Console

from kcatalog.recipe import search
from kcatalog.recipe.commands.start import Options, begin
from kcatalog.recipe.data import Data
from kcatalog.recipe.files import rundir, shared
from kcatalog.recipe.search import chief, distributed, files, oracles, presence, wire, worker
from kcatalog.recipe.terminal.errors import RecipeError
from tests.recipe import spread, tiny
from tests.recipe.conftest import BACKEND, ROOT
from tests.recipe.test_isolation import poll
from tests.recipe.test_oracles import endless, parts, run, score, six

TINY = str(ROOT / "tests" / "recipe" / "tiny.py")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@pytest.fixture
def at():
    return f"127.0.0.1:{free_port()}"


# --- processes -------------------------------------------------------------------------


class Process:
    """A command of the tiny recipe that runs beside the test."""

    def __init__(self, folder, name, *arguments, **environment):
        self._out = folder / f"{name}.txt"
        environment = {"PYTHONPATH": str(ROOT), "KERAS_BACKEND": BACKEND, **environment}
        with self._out.open("wb") as out:
            self._popen = subprocess.Popen(
                [sys.executable, TINY, *map(str, arguments)],
                cwd=folder,
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    @property
    def said(self) -> str:
        return self._out.read_text()

    def says(self, text):
        """Wait until it does."""
        poll(lambda: text in self.said or self._popen.poll() is not None)
        assert text in self.said, self.said

    def end(self) -> int:
        return self._popen.wait(timeout=240)

    def send(self, number):
        self._popen.send_signal(number)


@pytest.fixture
def start(tmp_path):
    """Start a command; what still runs when the test ends is killed."""
    with contextlib.ExitStack() as stack:

        def start(name, *arguments, **environment):
            process = Process(tmp_path, name, *arguments, **environment)
            stack.callback(process.end)
            stack.callback(process.send, signal.SIGKILL)
            return process

        yield start


def trials(run):
    """Each trial's hyperparameters, status and score."""
    files = sorted((run / "tuning").glob("trial_*/trial.json"))
    states = [json.loads(f.read_text()) for f in files]
    return [(s["hyperparameters"], s["status"], s["score"], s["best_step"]) for s in states]


@pytest.mark.slow
def test_workers_and_the_chief_are_killed_and_it_ends_as_in_one_process(start, at, call, tmp_path):
    asked = ("--trials", 3, "--trial-epochs", 2, "--run-dir", tmp_path / "spread")
    work = ("tune", "--worker", at)
    first = start("chief", "tune", "--chief", at, *asked)
    dies = start("dies", *work, TINY_KILL="1")
    first.says(f"tune --worker {at}")
    assert dies.end() == -signal.SIGKILL  # in the second epoch of trial 0
    first.says("is gone. Trial 0 is handed out again.")
    goes_on = start("goes_on", *work, TINY_KILL="0")
    assert goes_on.end() == -signal.SIGKILL  # in the first epoch of trial 1, but not of trial 0
    assert "Trial 0: val_accuracy" in goes_on.said
    first.says("is gone. Trial 1 is handed out again.")
    first.send(signal.SIGKILL)
    assert first.end() == -signal.SIGKILL
    two = [start(name, *work) for name in ("one", "two")]
    for one in two:
        one.says(f"The chief at {at} does not answer. Waiting up to 600 seconds for it.")
    second = start("again", "tune", "--chief", at, "--resume", "--run-dir", tmp_path / "spread")
    assert second.end() == 0, second.said
    for one in two:
        assert one.end() == 0, one.said
        assert "There are no more trials." in one.said

    alone = call("tune", "--trials", 3, "--trial-epochs", 2)
    assert alone.code == 0, alone.err
    assert trials(tmp_path / "spread") == trials(alone.run)
    best = "hyperparameters.json"
    assert (tmp_path / "spread" / best).read_text() == (alone.run / best).read_text()
    assert "(3 of 3): val_accuracy" in second.said
    assert [line for line in second.said.splitlines() if line.startswith("│")] == [
        line for line in alone.out.splitlines() if line.startswith("│")
    ]


# --- threads ---------------------------------------------------------------------------


class Killed(BaseException):
    """Nothing of Python runs after a kill, so nothing may catch this."""


@dataclasses.dataclass
class Search:
    """A search without training: its chief in a thread, its worker here."""

    folder: Path
    at: str
    build: Callable = endless
    tuner: str = "random"
    trials: int = 5

    def tuner_of(self, run_trial=None):
        space = keras_tuner.HyperParameters()
        self.build(space, self.tuner)
        training = search.Training(
            self.build, self.tuner, "val_accuracy", 9, 16, 0, self.folder / "logs"
        )
        place = types.SimpleNamespace(tuning=self.folder / "tuning")
        budget = search.Budget(self.tuner, self.trials)
        console = Console(file=io.StringIO(), width=200)
        return search.tuner_of(training, space, budget, place, console, run_trial), console

    @contextlib.contextmanager
    def led(self):
        """A chief; yields what it says, its oracle and its error, in the end."""
        self.folder.mkdir(exist_ok=True)
        tuner, console = self.tuner_of()
        led = types.SimpleNamespace(oracle=tuner.oracle, said=console.file, error=None)
        terms = {"where": shared.mark(self.folder)}

        def run():
            try:
                chief.lead(tuner, terms, self.at, console)
            except BaseException as e:
                led.error = e

        thread = threading.Thread(target=run)
        thread.start()
        yield led
        thread.join(60)
        assert not thread.is_alive()

    def work(self, run_trial, patience=30.0):
        """A worker, until it is told to end. Returns what it says."""
        said = io.StringIO()
        console = Console(file=said, width=200)
        asking = wire.Asking(self.at, patience, console.print)
        asking.terms()
        run = rundir.Run(self.folder, {})
        with (
            presence.present(run.tuning / distributed.WORKERS) as name,
            wire.working_for(self.at, name),
        ):
            us = worker.Joined(run, None, {}, name, asking)
            worker.follow(self.tuner_of(run_trial)[0], us, console)
        return said.getvalue()


def scored(work):
    return [[{"val_accuracy": score(work.hp)}]]


def facts(oracle):
    return [
        (t.trial_id, t.hyperparameters.get_config(), t.score, t.status)
        for t in oracle.trials.values()
    ]


@pytest.mark.parametrize("tuner", ["random", "bayesian", "hyperband"])
def test_every_tuner_finds_what_it_finds_in_one_process(tmp_path, at, tuner):
    """With a single worker the order is the same. Space, values, scores: to the last bit."""
    spread, alone = Search(tmp_path / "spread", at, parts, tuner, 14), tmp_path / "alone"
    with spread.led() as led:
        spread.work(scored)
    assert led.error is None
    assert facts(led.oracle) == facts(run(alone, parts, tuner, trials=14).oracle)


def test_why_a_trial_failed_is_told_by_worker_and_chief(tmp_path, at):
    def fails(work):
        if work.trial_id == "1":
            raise FileNotFoundError("checkpoint.weights.h5")
        return scored(work)

    spread = Search(tmp_path, at, trials=3)
    with spread.led() as led:
        said = spread.work(fails)
    assert "Trial 1: failed: FileNotFoundError: checkpoint.weights.h5" in said
    assert "(2 of 3): failed: FileNotFoundError: checkpoint" in led.said.getvalue()
    assert "FileNotFoundError" in led.oracle.trials["1"].message


def test_the_chief_ends_a_hopeless_search_and_tells_why(tmp_path, at):
    def fails(work):
        raise ValueError("no such layer")

    spread = Search(tmp_path, at, trials=30)
    told = r"The chief at .* stopped. The first 10 trials failed"
    with spread.led() as led, pytest.raises(RecipeError, match=told):
        spread.work(fails)
    assert "The first 10 trials failed" in str(led.error)


def test_an_exhausted_space_ends_the_search(tmp_path, at):
    spread = Search(tmp_path, at, six, trials=50)
    with spread.led() as led:
        spread.work(scored)
    assert len(led.oracle.trials) == 6
    assert led.oracle.exhausted


def test_a_trial_outlives_its_chief(tmp_path, at, monkeypatch):
    """The worker ends the trial at the next chief's: it is not run again."""
    spread, ran, chiefs = Search(tmp_path / "spread", at, trials=4), [], contextlib.ExitStack()

    def run_trial(work):
        ran.append(work.trial_id)
        if len(ran) == 2:
            look = chief.Chief.look
            monkeypatch.setattr(chief.Chief, "look", killed)
            first.close()
            monkeypatch.setattr(chief.Chief, "look", look)
            with without_environment():
                led.append(chiefs.enter_context(spread.led()))
        return scored(work)

    def killed(self):
        raise Killed

    with contextlib.ExitStack() as first:
        led = [first.enter_context(spread.led())]
        with chiefs:
            spread.work(run_trial)
    assert isinstance(led[0].error, Killed)
    assert led[1].error is None
    assert ran == ["0", "1", "2", "3"]
    assert facts(led[1].oracle) == facts(run(tmp_path / "alone", trials=4).oracle)


@contextlib.contextmanager
def without_environment():
    """As in another process."""
    told = {k: os.environ.pop(k) for k in list(os.environ) if k.startswith("KERASTUNER_")}
    try:
        yield
    finally:
        os.environ.update(told)


def test_checkpoints_that_a_worker_may_go_on_with_stay(tmp_path):
    """Two workers: the next bracket begins while a trial of the one before still runs."""
    oracle = oracles.oracle(
        "hyperband", 40, 9, objective=keras_tuner.Objective("val_accuracy", "max"), seed=0
    )
    oracle.hyperparameters.Float("rate", 0.0, 1.0)
    oracle._set_project_dir(str(tmp_path), "tuning")
    ended = [oracle.create_trial("a") for _ in range(1)]
    slow = oracle.create_trial("b")
    while len(oracle._brackets) < 2:
        current = ended[-1]
        oracle.update_trial(current.trial_id, {"val_accuracy": int(current.trial_id) / 100})
        oracle.end_trial(type(current)(current.hyperparameters, current.trial_id, "COMPLETED"))
        ended.append(oracle.create_trial("a"))
    oracle.update_trial(slow.trial_id, {"val_accuracy": 0.5})
    oracle.end_trial(type(slow)(slow.hyperparameters, slow.trial_id, "COMPLETED"))
    kept = oracle.in_use()
    parent = oracle.create_trial("b").hyperparameters.values[oracles.FROM]
    assert parent in kept


def test_checkpoints_that_a_trial_is_about_to_copy_stay(tmp_path):
    """The last of a bracket has started: KerasTuner forgets the bracket as the next one asks."""
    spread = Search(tmp_path, None, tuner="hyperband", trials=40)
    oracle = spread.tuner_of()[0].oracle
    while oracle.create_trial("a").hyperparameters.values["tuner/round"] < 2:
        given = oracle.ongoing_trials["a"]
        checkpoints = tmp_path / "tuning" / f"trial_{given.trial_id}" / "checkpoints"
        checkpoints.mkdir(parents=True)
        oracle.end(given.trial_id, given.hyperparameters, "COMPLETED", None, worse(given), 0)
    parent = oracle.ongoing_trials["a"].hyperparameters.values[oracles.FROM]
    for _ in range(4):
        given = oracle.create_trial("b")
        oracle.end(given.trial_id, given.hyperparameters, "COMPLETED", None, better(given), 0)
    assert all(bracket["bracket_num"] < 2 for bracket in oracle._brackets)
    assert (tmp_path / "tuning" / f"trial_{parent}" / "checkpoints").exists()


def worse(trial):
    return {"val_accuracy": int(trial.trial_id) / 100}


def better(trial):
    return {"val_accuracy": 0.5 + int(trial.trial_id) / 100}


def test_the_chief_waits_for_a_file_that_is_slow_to_be_seen(tmp_path, at, monkeypatch):
    """Longer than it may: the worker asks again, and the search goes on."""
    monkeypatch.setattr(shared, "PATIENCE", 0.1)
    write, late = rundir.write_json, []

    def slow(file, facts):
        if file.name != distributed.ENDED or late:
            return write(file, facts)
        late.append(threading.Timer(1.0, write, (file, facts)))
        return late[0].start()

    monkeypatch.setattr(worker.rundir, "write_json", slow)
    spread = Search(tmp_path / "spread", at, trials=3)
    with spread.led() as led:
        spread.work(scored)
    assert late
    assert led.error is None
    monkeypatch.undo()
    assert facts(led.oracle) == facts(run(tmp_path / "alone", trials=3).oracle)


def test_a_worker_waits_for_a_file_that_is_slow_to_be_seen(tmp_path, at, monkeypatch):
    monkeypatch.setattr(shared, "PATIENCE", 0.1)
    spread, seen, blind = Search(tmp_path, at, trials=2), shared.seen, [3]

    def slow(condition):
        if threading.current_thread() is threading.main_thread() and blind[0]:
            blind[0] -= 1
            return False
        return seen(condition)

    monkeypatch.setattr(shared, "seen", slow)
    with spread.led() as led:
        said = spread.work(scored)
    assert said.count("trial.json yet. Waiting for it.") == 3
    assert [t.status for t in led.oracle.trials.values()] == ["COMPLETED"] * 2


def test_a_chief_that_cannot_write_ends_and_tells_why(tmp_path, at, monkeypatch):
    """As it takes back the trial of a worker that is gone."""

    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def run_trial(work):
        monkeypatch.setattr(files, "write", full)
        monkeypatch.setattr(presence.Watch, "gone", lambda watch, name: True)
        monkeypatch.setattr(chief, "PAUSE", 1.5)  # in which a slow machine asks, too
        poll(lambda: led.oracle.ongoing_trials == {})
        return scored(work)

    spread = Search(tmp_path, at, trials=3)
    told = r"The chief at .* stopped. .*No space left on device"
    with spread.led() as led, pytest.raises(RecipeError, match=told):
        spread.work(run_trial)
    assert led.error.errno == errno.ENOSPC


def test_a_worker_whose_disk_is_full_says_what_it_can_do(tmp_path, at):
    def full(work):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    spread = Search(tmp_path, at, trials=2)
    told = r"No space left on device. When that is mended, start this worker again"
    with spread.led() as led:
        with pytest.raises(RecipeError, match=told):
            spread.work(full)
        spread.work(scored)
    assert led.error is None
    assert [t.status for t in led.oracle.trials.values()] == ["COMPLETED"] * 2


def test_a_worker_that_cannot_write_says_what_it_can_do():
    told = r"Cannot open or write ended.json: No space left on device. When that is mended, start"
    with pytest.raises(RecipeError, match=told), worker._stops():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "ended.json")


# --- what is refused -------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--worker", "nowhere"], ["--chief", "a:b"]])
def test_addresses(call, arguments):
    done = call("tune", *arguments)
    assert done.code == 2
    assert f"{arguments[0]} must be HOST:PORT, or PORT. Received" in done.err
    assert not (done.folder / "runs").exists()


def test_a_port_that_is_taken(call):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = call("tune", "--chief", taken.getsockname()[1])
    assert done.code == 2
    assert "--chief must be an address of this machine and a free port" in done.err
    assert not (done.folder / "runs").exists()


@pytest.mark.parametrize("option", [("--trials", 3), ("--isolate",), ("--set", "units=4")])
def test_a_worker_takes_its_settings_from_the_chief(call, option):
    done = call("tune", "--worker", 1, *option)
    assert done.code == 2
    assert f"{option[0]} must be left out with --worker: the chief says it." in done.err


def test_a_chief_that_is_not_there(call, at, monkeypatch):
    monkeypatch.setattr(worker, "WAIT", 0.3)
    done = call("tune", "--worker", at)
    assert done.code == 2
    assert f"The chief at {at} has not answered for 0.3 seconds. Start it" in done.err


@pytest.mark.slow
def test_a_worker_with_something_else_is_refused(call, at, tmp_path, monkeypatch):
    assert call("tune", "--trials", 1, "--trial-epochs", 1).code == 0
    made = rundir.find("tiny", None)
    terms = chief.terms(tiny.recipe, made)
    servicer = chief.Chief(
        types.SimpleNamespace(oracle=None, project_dir=made.tuning), terms, Console()
    )
    with wire.serving(servicer, at):
        done = call("tune", "--worker", at, recipe=spread.recipe)
        assert done.code == 2
        assert (
            "A worker must have the same recipe as its chief: tiny. Received: spread." in done.err
        )
        monkeypatch.setenv("TINY_SHIFT", "1")
        done = call("tune", "--worker", at)
        assert done.code == 2
        assert "A worker must have the same data as its chief" in done.err
        monkeypatch.setattr(shared, "PATIENCE", 0.1)
        shared.mark(made.path)
        done = call("tune", "--worker", at)
        assert done.code == 2
        assert "The chief works in" in done.err
        assert "one file system" in done.err


def test_a_worker_keeps_what_it_decoded_on_its_own_host(tmp_path, at, monkeypatch):
    with begin(tiny.recipe, Options(run_dir=tmp_path / "run")) as (made, _):
        pass
    kept, quiet = [], Console(file=io.StringIO())
    monkeypatch.setattr(Data, "keep", lambda data, *where: kept.append(where))
    tuner = types.SimpleNamespace(oracle=None, project_dir=made.tuning)
    servicer = chief.Chief(tuner, chief.terms(tiny.recipe, made), quiet)
    with (
        wire.serving(servicer, at),
        worker.joined(tiny.recipe, Options(worker=at), quiet) as us,
    ):
        assert us.run.path == made.path
    assert kept == [(Path(tempfile.gettempdir()), 1.0)]


def test_one_who_sleeps_for_too_long_is_gone(tmp_path, monkeypatch):
    monkeypatch.setattr(presence, "DEADLINE", 0.2)
    (tmp_path / "asleep").mkdir()
    beat = tmp_path / "asleep" / "beat"
    beat.write_text("1")
    watch = presence.Watch(tmp_path)
    assert not watch.gone("asleep")
    beat.write_text("2")
    assert not watch.gone("asleep")
    poll(lambda: watch.gone("asleep"))


@pytest.fixture
def ends(monkeypatch):
    """What `os._exit` does to the process, it does to the caller."""

    def end(code):
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(presence, "EVERY", 0.01)


def test_a_worker_that_lives_shows_it(tmp_path, ends):
    over, beat = threading.Event(), tmp_path / "beat"
    thread = threading.Thread(target=presence._beat, args=(beat, over))
    thread.start()
    numbers = set()
    poll(lambda: numbers.add(presence._number(beat)) or len(numbers) > 3)
    over.set()
    thread.join(60)
    assert not thread.is_alive()


def test_a_worker_that_slept_for_too_long_ends(tmp_path, ends, monkeypatch, capsys):
    times = iter([0.0, 5.0, 5.0, 10.0, 10.0, 10.0 + 61.0])
    monkeypatch.setattr(presence, "_now", lambda: next(times))
    with pytest.raises(SystemExit, match="2"):
        presence._beat(tmp_path / "beat", threading.Event())
    assert list(times) == []
    assert "stopped for too long: its trial is another's" in capsys.readouterr().err
    assert (tmp_path / "beat").read_text() == str(os.getpid() + 2)


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="needs Linux")
def test_a_suspended_machine_sleeps_too(monkeypatch):
    """Its monotonic clock stands still meanwhile."""
    asked = []
    monkeypatch.setattr(time, "clock_gettime", lambda clock: asked.append(clock) or 7.0)
    assert presence._now() == 7.0
    assert asked == [time.CLOCK_BOOTTIME]
