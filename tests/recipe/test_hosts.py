"""Many hosts: two processes on this machine train one model, and stop together."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import pytest

from kcatalog.recipe.commands.options import Options
from kcatalog.recipe.commands.steps import Steps
from kcatalog.recipe.data import Data
from kcatalog.recipe.devices import hosts
from kcatalog.recipe.files import rundir
from kcatalog.recipe.terminal.errors import RecipeError
from tests.recipe import spread, tiny
from tests.recipe.conftest import ROOT
from tests.recipe.test_devices import assert_same_weights

BACKEND = keras.backend.backend()
on_jax = pytest.mark.skipif(BACKEND != "jax", reason="starts processes of its own on JAX")
LONGEST = 240  # seconds until all have stopped, on a busy machine


@pytest.mark.skipif(BACKEND == "jax", reason="JAX can")
def test_other_backends_are_refused_with_the_reason():
    reason = {"tensorflow": "keras issue 20585", "torch": "one device of one host"}[BACKEND]
    with (
        pytest.raises(RecipeError, match=rf"--hosts needs the JAX backend.*{reason}"),
        hosts.join("a:1,b:1", 0),
    ):
        pass


@pytest.mark.skipif(BACKEND != "jax", reason="others are refused anyway")
@pytest.mark.parametrize(
    ("addresses", "index", "sentence"),
    [
        ("a:1", 0, "--hosts must be host:port for two hosts or more"),
        ("a,b", 0, "--hosts must be host:port for two hosts or more"),
        ("auto", 1, "or auto without --host-index"),
        (None, 1, "--hosts must be"),
        ("a:1,b:1", None, "--host-index must be the index of this host in --hosts, from 0 to 1"),
        ("a:1,b:1", 2, "Received: 2."),
    ],
)
def test_malformed_options_are_an_error(addresses, index, sentence):
    with pytest.raises(RecipeError, match=sentence), hosts.join(addresses, index):
        pass


def test_alone_nothing_is_exchanged():
    with hosts.join(None, None) as us:
        assert (us.index, us.count) == (0, 1)


def test_hosts_on_different_file_systems_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(hosts, "PATIENCE", 0.1)
    (tmp_path / hosts.MARK).write_text("left by another run")
    with pytest.raises(RecipeError, match="one file system that all of them see"):
        hosts._follow(f"mark {tmp_path}", tmp_path / "scratch", follow=None)


def test_other_hosts_keep_decoded_samples_for_themselves(tmp_path, monkeypatch):
    kept = []
    monkeypatch.setattr(Data, "keep", lambda data, folder, memory: kept.append(folder))
    data = tiny.recipe.source.load(None, 0)
    facts = {"settings": {"data": None, "seed": 0}, "data": {}, "learned": data.learned}
    with rundir.begin("tiny", tmp_path / "run", facts):
        run, _ = Steps(tiny.recipe, Options())._join(tmp_path / "run")
    assert run.path == tmp_path / "run"
    assert kept == [Path(tempfile.gettempdir())]


# --- two processes ---------------------------------------------------------------------------


def free_ports(count=2):
    """Ports that were free a moment ago; high ones, from which Slurm's job numbers choose."""
    sockets = []
    for port in range(61440 + os.getpid() % 2000, 65536):
        if len(sockets) == count:
            break
        s = socket.socket()
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            s.close()
            continue
        sockets.append(s)
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Group:
    """The recipe's `train` in two processes, each a host, in one folder."""

    def __init__(self, folder, *arguments, own, **more):
        ports, script = free_ports(), str(ROOT / "tests" / "recipe" / "spread.py")
        more = {"PYTHONPATH": str(ROOT), "SPREAD_RANDOM": "1", **more}
        self.processes = []
        for index in range(2):
            environment, options = own(index, ports)
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, script, "train", *arguments, *options],
                    cwd=folder,
                    env={**os.environ, **more, **environment},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
        try:
            self.out = [p.communicate(timeout=LONGEST)[0] for p in self.processes]
        finally:
            for p in self.processes:
                p.kill()
                p.wait()
        self.codes = [p.returncode for p in self.processes]


def addressed(index, ports):
    addresses = ",".join(f"127.0.0.1:{port}" for port in ports)
    return {}, ("--hosts", addresses, "--host-index", str(index))


def by_slurm(index, ports):
    job = {
        "SLURM_JOB_ID": str(ports[0] - 61440),
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_NTASKS": "2",
        "SLURM_PROCID": str(index),
        "SLURM_LOCALID": str(index),
    }
    return job, ("--hosts", "auto")


@pytest.fixture
def alone(call, monkeypatch):
    """`train` with one device, uninterrupted, with dropout and batch normalization; its run."""
    monkeypatch.setenv("SPREAD_RANDOM", "1")
    done = call("train", "--epochs", 3, "--watch", "--run-dir", "alone", recipe=spread.recipe)
    assert done.code == 0, done.err
    return done.folder / "alone"


@pytest.mark.slow
@on_jax
@pytest.mark.parametrize("victim", [0, 1])
def test_two_hosts_train_as_one_device_does_though_one_dies(alone, call, tmp_path, victim):
    """When a host dies the other one stops; the run goes on with both, or on one device."""
    died = Group(tmp_path, "--epochs", "3", own=by_slurm, SPREAD_DIE=f"{victim}:1")
    other = 1 - victim
    assert died.codes[victim] == -signal.SIGKILL
    assert died.codes[other] in (2, -signal.SIGABRT)  # JAX ends those who lose host 0, if first
    gone = ("The connection to another host is lost. Start all hosts again with --resume",)
    gone += ("another task died",) if victim == 0 else ()  # JAX's words
    assert any(words in died.out[other] for words in gone), died.out[other]
    runs = tmp_path / "runs" / "spread"
    assert not (runs / "1" / "model.keras").exists()
    if victim == 0:
        resumed = call("train", "--resume", recipe=spread.recipe)
        assert resumed.code == 0, resumed.err
        assert "Resuming after epoch 1." in resumed.out
    else:
        both = Group(tmp_path, "--resume", own=addressed)
        assert both.codes == [0, 0], both.out
        assert "Devices: 2 hosts, each with CPU, keras.distribution.DataParallel" in both.out[0]
        assert "Resuming after epoch 1." in both.out[0]
        assert "Epoch 3/3" in both.out[0]
        assert "This host takes part in" in both.out[1]
        assert "Epoch" not in both.out[1]
        events = [f.name for f in (runs / "1" / "logs").rglob("events.*")]
        leaders = [f".{group.processes[0].pid}." for group in (died, both)]
        assert all(any(leader in name for leader in leaders) for name in events)
    assert [r.name for r in runs.iterdir()] == ["1"]  # host 0's, and no other
    assert_same_weights(runs / "1", alone)


@pytest.mark.slow
@on_jax
def test_all_hosts_stop_if_one_cannot_begin(tmp_path):
    done = Group(tmp_path, "--set", "units=five", own=addressed)
    assert done.codes == [2, 2], done.out
    assert "--set units must be one of 8, 4" in done.out[0]
    assert "Host 0 cannot take part and reports why. All hosts stop." in done.out[1]
    assert not (tmp_path / "runs").exists()
