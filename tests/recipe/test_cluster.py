"""Trials on a Ray cluster of this machine, whose hosts are processes."""

import json
import signal
import sys
from concurrent.futures import Future
from pathlib import Path

import keras_tuner
import pytest

from kcatalog.recipe.files import run_toml
from kcatalog.recipe.search import cluster, process, runners
from kcatalog.recipe.search.trial import Work
from kcatalog.recipe.terminal import stopping
from kcatalog.recipe.terminal.errors import RecipeError
from tests.recipe.chores import wait_for
from tests.recipe.conftest import BACKEND, ROOT

ray = pytest.importorskip("ray", reason="needs Ray: pip install 'kcatalog[cluster]'")


@pytest.fixture
def hosts(monkeypatch, tmp_path):
    """A cluster of one host, to which more can be added. Its trials do what `TINY_HOLD` says."""
    from ray.cluster_utils import Cluster

    variables = {"PYTHONPATH": str(ROOT), "KERAS_BACKEND": BACKEND, "TINY_HOLD": str(tmp_path)}
    variables["RAY_USAGE_STATS_ENABLED"] = "0"
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    yield made
    made.shutdown()


def trials(run):
    """Each trial's hyperparameters, status, score and best epoch."""
    files = sorted((run / "tuning").glob("trial_*/trial.json"))
    states = [json.loads(f.read_text()) for f in files]
    return [(s["hyperparameters"], s["status"], s["score"], s["best_step"]) for s in states]


@pytest.mark.soak  # a dozen processes that each import TensorFlow
def test_a_host_and_the_driver_are_killed_and_it_ends_as_in_one_process(
    hosts, forks, call, tmp_path
):
    """Trials wait in the middle of the epochs for which there is a file `hold-<epoch>`."""
    held = {epoch: tmp_path / f"hold-{epoch}" for epoch in (1, 2)}
    for file in held.values():
        file.touch()

    def column(number, index):
        file = tmp_path / f"trial_{number}.epochs"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.split()[index] for line in lines]

    def epochs(number):
        return column(number, 0)

    def running(number):
        try:
            return Path("/proc", column(number, 1)[-1], "cmdline").read_text() != ""
        except OSError:
            return False

    second = hosts.add_node(num_cpus=1)
    asked = ("--cluster", hosts.address, "--run-dir", tmp_path / "run", "--trial-epochs", 3)
    with forks.beside("tune", *asked, "--trials", 2, folder=tmp_path / "driver"):  # and killed
        wait_for(lambda: epochs(0) == epochs(1) == ["0", "1"])
        hosts.remove_node(second, allow_graceful=False)  # one of the two trials was there
        wait_for(lambda: not (running(0) and running(1)))
        held[1].unlink()
        wait_for(lambda: "2" in epochs(0) + epochs(1))
    held[2].unlink()
    done = forks("tune", *asked, "--resume", folder=tmp_path / "driver")
    assert done.code == 0, done.out

    alone = call("tune", "--trials", 2, "--trial-epochs", 3)
    assert alone.code == 0, alone.err
    assert trials(tmp_path / "run") == trials(alone.run)
    found, expected = (run_toml.read(f / "run.toml") for f in (tmp_path / "run", alone.run))
    assert found["hyperparameters"] == expected["hyperparameters"]
    begun = sorted(["".join(epochs(0)), "".join(epochs(1))])
    # one lost its host in epoch 1, the other the driver in epoch 2; no finished epoch is repeated
    assert begun == ["0112", "0122"]


def test_sigterm_still_says_how_to_resume(monkeypatch):
    def init(*arguments, **more):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # as Ray sets its own

    monkeypatch.setattr(ray, "init", init)
    with stopping.signals():
        ours = signal.getsignal(signal.SIGTERM)
        with cluster.connected("auto"):
            assert signal.getsignal(signal.SIGTERM) is ours


@pytest.fixture
def nodes(monkeypatch):
    """Ray's description of its hosts."""
    made = []
    monkeypatch.setattr(ray, "nodes", lambda: made)

    def add(alive=True, **resources):
        made.append({"Alive": alive, "Resources": resources})

    return add


def runner(devices="auto", memory=None, parallel=1):
    return cluster.RayCluster(runners.Script("tiny.py", [], devices, memory), parallel)


def test_hosts_get_as_many_trials_as_they_have_room_for(nodes):
    nodes(CPU=0)  # a head that computes nothing
    nodes(CPU=8, memory=20e9)
    made = runner(memory=4, parallel=4)
    assert made._needs == {"CPU": 2, "memory": 4 * 1024**3}
    assert made.slots == 4
    nodes(CPU=4, memory=5e9)  # joins
    assert made.slots == 4 + 1
    nodes(alive=False, CPU=64, memory=64e9)
    assert made.slots == 5


@pytest.mark.parametrize(
    ("devices", "gpus", "slots"),
    [("auto", 1, 6), ("gpu:2", 2, 3), ("all", 4, 1), ("cpu", 0, 18)],
)
def test_trials_get_the_gpus_that_they_need(nodes, devices, gpus, slots):
    nodes(CPU=16, GPU=4)
    nodes(CPU=16, GPU=2)
    nodes(CPU=4)
    made = runner(devices, parallel=2)
    assert made._needs == {"CPU": 2} | ({"GPU": gpus} if gpus else {})
    assert made.slots == slots


def test_a_trial_that_fits_nowhere_is_refused(nodes):
    nodes(CPU=4, memory=2e9)
    for asked in ({"devices": "gpu"}, {"memory": 4}):
        with pytest.raises(RecipeError, match="No host of the cluster has what a trial needs"):
            runner(**asked)
    with pytest.raises(RecipeError, match="must be auto, all, cpu or gpu with --cluster"):
        runner("tpu")


def test_a_host_that_does_not_see_the_run_ends_the_search(nodes, tmp_path):
    """Else it would take one trial after the other, and fail them all."""
    nodes(CPU=4)
    made = runner()
    work = Work("0", keras_tuner.HyperParameters(), tmp_path / "elsewhere")
    answer = process.run(**made.call(work, {}))
    future = Future()
    future.set_result(answer)
    with pytest.raises(runners.SearchError, match="need one file system that they see under the"):
        made.result(work, future)


def test_without_a_cluster(call, monkeypatch):
    for address in ("127.0.0.1:1", "nowhere"):
        done = call("tune", "--cluster", address)
        assert done.code == 2
        assert f"--cluster {address}: cannot connect to a Ray cluster. Start one with" in done.err
        assert not (done.folder / "runs").exists()
    monkeypatch.setitem(sys.modules, "ray", None)
    done = call("tune", "--cluster", "auto")
    assert "--cluster needs Ray: pip install 'kcatalog[cluster]'" in done.err
