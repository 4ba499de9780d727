"""One whole run of a tiny recipe, shared by many assertions."""

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import keras
import pytest
from filelock import FileLock

from kcatalog.recipe.commands import cli
from tests.recipe import tiny
from tests.recipe.faults import Forks

ROOT = Path(__file__).parents[2]
BACKEND = keras.backend.backend()


@dataclass(frozen=True)
class Finished:
    """A finished command: its exit code, what it printed, and where."""

    code: int
    out: str
    err: str
    folder: Path

    @property
    def run(self) -> Path:
        return self.folder / "runs" / "tiny" / "1"


@pytest.fixture
def call(capfd, tmp_path, monkeypatch):
    """Run a recipe's command line in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments, recipe=tiny.recipe) -> Finished:
        capfd.readouterr()
        code = cli.run(recipe, [str(a) for a in arguments])
        out, err = capfd.readouterr()
        return Finished(code, out, err, tmp_path)

    return call


def start(*arguments, folder, **environment) -> Finished:
    """Run the tiny recipe's script as a user starts it, in a process of its own."""
    inherited = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    environment = {"PYTHONPATH": str(ROOT), "KERAS_BACKEND": BACKEND, **environment}
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "recipe" / "tiny.py"), *map(str, arguments)],
        cwd=folder,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr, folder)


@contextlib.contextmanager
def once_for_all_workers(tmp_path_factory, name: str):
    """Yield a folder that all workers of this run share, and whether it is still to be filled."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    done = root / f"{name}.done"
    with FileLock(root / f"{name}.lock"):
        yield root / name, not done.exists()
        done.touch()


@pytest.fixture(scope="session")
def whole_way(tmp_path_factory):
    """`python tiny.py`, without arguments. Tests only read what it left."""
    with once_for_all_workers(tmp_path_factory, "whole_way") as (folder, fill):
        printed = folder / "printed.json"
        if fill:
            folder.mkdir(exist_ok=True)
            done = start(folder=folder)
            assert done.code == 0, done.err
            printed.write_text(json.dumps([done.out, done.err]))
        return Finished(0, *json.loads(printed.read_text()), folder)


@pytest.fixture(scope="session")
def watched(whole_way, tmp_path_factory):
    """The logs of `train --watch --profile 4-6`, beside those of the whole way."""
    run = whole_way.folder / "runs" / "tiny" / "watched"
    options = ["--run-dir", str(run), "--watch", "--profile", "4-6", "--epochs", "5"]
    with once_for_all_workers(tmp_path_factory, "watched") as (_, fill):
        assert not fill or cli.run(tiny.recipe, ["train", *options]) == 0
    return run / "logs" / "training"


@pytest.fixture(scope="session")
def forks():
    """Commands in forked processes, which can be killed in any moment."""
    with Forks(BACKEND) as forks:
        yield forks
