"""Devices: used as asked for, or an error; the same weights on one and on many."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from kcatalog.recipe import devices
from kcatalog.recipe.feed.batches import Batches, evaluation_size, shared_size
from kcatalog.recipe.files import run_toml
from kcatalog.recipe.terminal.errors import RecipeError
from tests.recipe import spread
from tests.recipe.conftest import ROOT

BACKEND = keras.backend.backend()


def weights(run):
    return keras.saving.load_model(run / "model.keras", compile=False).get_weights()


def assert_same_weights(a, b):
    for one, other in zip(weights(a), weights(b), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5, rtol=0)


@pytest.mark.parametrize("asked", ["auto", "cpu", "all", "CPU:1"])
def test_one_cpu(asked):
    with devices.using(asked) as used, used.scope():
        if BACKEND != "tensorflow" or asked != "all":  # the suite cuts TensorFlow's in two
            assert used.words == "CPU"
        assert np.all(keras.ops.convert_to_numpy(keras.ops.ones(3)) == 1)


@pytest.mark.parametrize("asked", ["gpu", "gpu:2", "tpu"])
def test_missing_devices_are_an_error(asked):
    with (
        pytest.raises(RecipeError, match=f"--devices {asked} asks for"),
        devices.using(asked),
    ):
        pass


@pytest.mark.parametrize("asked", ["", "gpux", "gpu:0", "gpu:two", "auto:2", "all:2", "cpu:-1"])
def test_malformed_options_are_an_error(asked):
    with pytest.raises(RecipeError, match="--devices must be auto, all"), devices.using(asked):
        pass


@pytest.mark.skipif(BACKEND == "jax", reason="JAX can")
def test_weights_are_split_on_jax_only(call):
    done = call("train", "--model-parallel", "2", recipe=spread.recipe)
    assert done.code == 2
    assert "--model-parallel needs the JAX backend (KERAS_BACKEND=jax)" in done.err
    assert not (done.folder / "runs").exists()


@pytest.mark.skipif(BACKEND != "torch", reason="the others can")
def test_pytorch_takes_one_device():
    with pytest.raises(RecipeError, match="one device with PyTorch"), devices.using("cpu:2"):
        pass


def test_a_run_prints_its_devices(call):
    done = call("train", "--epochs", "1", recipe=spread.recipe)
    assert done.code == 0, done.err
    why = {
        "tensorflow": "Devices: CPU. XLA does not compile the step: on TensorFlow, Keras does",
        "jax": "Devices: CPU. XLA compiles the step.",
        "torch": "Devices: CPU. XLA does not compile the step: Keras runs PyTorch eagerly.",
    }
    assert why[BACKEND] in done.out


@pytest.mark.skipif(BACKEND == "tensorflow", reason="it computes there")
def test_tensorflow_leaves_the_gpu_to_another_backend(call, monkeypatch):
    """The writer of summaries loads it, also where arrays in memory need no pipeline of it."""
    import tensorflow as tf
    from tensorboard.summary.writer import event_file_writer

    happened, file_writer = [], event_file_writer.EventFileWriter

    def hide(devices, kind):
        happened.append((devices, kind))

    def write(*where):
        happened.append("writes")
        return file_writer(*where)

    monkeypatch.setattr(tf.config, "set_visible_devices", hide)
    monkeypatch.setattr(event_file_writer, "EventFileWriter", write)
    done = call("train", "--epochs", "1", recipe=spread.recipe)
    assert done.code == 0, done.err
    assert happened.index(([], "GPU")) < happened.index("writes")


@pytest.mark.tensorflow
def test_a_batch_that_does_not_divide_is_an_error():
    with devices.using("cpu:2"):
        assert devices.replicas() == 2
        with pytest.raises(RecipeError, match="must be a multiple of the 2 devices"):
            Batches(np.zeros((9, 2)), np.zeros(9), batch_size=3, seed=0)
        assert evaluation_size(np.zeros((37, 2))) == 24
        assert evaluation_size(np.zeros((1, 2))) == 1
    assert devices.replicas() == 1


@pytest.mark.parametrize("replicas", [1, 2, 3, 8])
def test_every_replica_gets_something_of_each_batch(replicas):
    for samples in range(4 * replicas**2, 1000):
        size = shared_size(samples, min(samples, 512), replicas)
        last = samples % size or size
        assert size % replicas == 0
        assert last > (replicas - 1) * size // replicas  # TensorFlow fills one after the other
        assert replicas > 1 or size == min(samples, 512)


@pytest.mark.tensorflow
def test_xla_is_switched_off_where_it_fails(monkeypatch):
    """Keras issue 20763; when this fails, XLA works under MirroredStrategy and may be left on."""
    import tensorflow as tf

    monkeypatch.setenv("SPREAD_JIT", "1")
    x, y = np.ones((4, 2), "float32"), np.zeros(4)
    with devices.using("cpu:2") as used:
        with used.scope():
            model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
            model.compile("sgd", "mse", jit_compile=True)
        with pytest.raises(tf.errors.InvalidArgumentError, match="located in device"):
            model.fit(x, y, batch_size=4, verbose=0)
        used.prepare(model)
        assert not model.jit_compile
        assert "keras issue 20763" in used.line


@pytest.mark.tensorflow
def test_two_replicas_train_as_one_device_does(call, monkeypatch):
    """Two logical CPUs stand in for two GPUs."""
    monkeypatch.setenv("SPREAD_JIT", "1")
    one = call("train", "--epochs", "1", "--devices", "cpu", recipe=spread.recipe)
    options = ("--devices", "cpu:2", "--watch", "--profile", "2-3")  # neither changes a weight
    two = call("train", "--epochs", "1", *options, recipe=spread.recipe)
    assert (one.code, two.code) == (0, 0), one.err + two.err
    line = "Devices: 2 CPUs, tf.distribute.MirroredStrategy, each batch split in 2. XLA does not"
    assert line in two.out
    assert "Traced steps 2 to 3" in two.out
    first, second = (two.folder / "runs" / "spread" / n for n in "12")
    assert_same_weights(first, second)
    histories = [json.loads((r / "training.json").read_text())["history"] for r in (first, second)]
    for a, b in zip(*histories, strict=True):  # 43 validation samples do not divide by two
        assert a == pytest.approx(b, abs=1e-5)


@pytest.mark.tensorflow
def test_trials_run_on_two_replicas(call):
    done = call("tune", "--devices", "cpu:2", "--trials", "1", recipe=spread.recipe)
    assert done.code == 0, done.err
    assert "MirroredStrategy" in done.out
    assert "failed" not in done.out


# Several commands in one process, whose CPU the first of them cuts into eight.
COMMANDS = """
import dataclasses
from kcatalog.recipe.commands import cli
from tests.recipe.spread import recipe

def run(words, recipe=recipe):
    print("code", cli.run(recipe, words.split()))

run("train --epochs 2 --run-dir runs/eight --devices cpu:8")
run("train --epochs 2 --run-dir runs/one --devices cpu")
run("train --epochs 2 --run-dir runs/four --devices cpu:4 --model-parallel 2")
layout = {".*/kernel": ("model", None)}
with_layout = dataclasses.replace(recipe, layout=layout)
run("train --epochs 2 --run-dir runs/rows --devices cpu:2 --model-parallel 2", with_layout)
run("tune --run-dir runs/tuned --devices cpu:2")
run("train --devices cpu:6")
run("train --devices cpu:3 --model-parallel 2")
run("train --devices cpu:3 --model-parallel 3")
wrong = {"no such/weight": (None, "model")}, {".*/kernel": (None, "host")}, {".*bias": ("model",)}
for layout in wrong:
    run("train --devices cpu:4 --model-parallel 4", dataclasses.replace(recipe, layout=layout))
"""


@pytest.fixture(scope="module")
def on_jax(tmp_path_factory):
    """The output of `COMMANDS`, and the folder of their runs."""
    if BACKEND != "jax":
        pytest.skip("starts processes of its own on JAX")
    folder = tmp_path_factory.mktemp("devices")
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SPREAD_RANDOM": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout, folder / "runs"


def test_eight_devices_train_as_one_does(on_jax):
    """With dropout and batch normalization, which see the whole batch on JAX."""
    out, runs = on_jax
    assert "8 CPUs, keras.distribution.DataParallel, each batch split in 8. XLA compiles" in out
    assert_same_weights(runs / "eight", runs / "one")


def test_split_weights_train_as_whole_ones_do(on_jax):
    out, runs = on_jax
    assert (
        "4 CPUs, keras.distribution.ModelParallel, weights split in 2, each batch split in 2" in out
    )
    assert_same_weights(runs / "four", runs / "one")
    assert "2 CPUs, keras.distribution.ModelParallel, weights split in 2. XLA" in out
    assert_same_weights(runs / "rows", runs / "one")


@pytest.mark.parametrize(
    "sentence",
    [
        "samples in a batch must be a multiple of the 6 devices that share it. Received: 16.",
        "--model-parallel 2 needs a multiple of 2 devices. Received: 3 CPUs.",
        "--model-parallel splits no weight of this model. Looked for: matrices whose last axis",
        "--model-parallel splits no weight of this model. Looked for: 'no such/weight'.",
        "Recipe.layout must name the axes 'batch', 'model' or None. Received: (None, 'host')",
        "/bias evenly. Received: ('model',) for the shape (2,), on a mesh of",
    ],
)
def test_uneven_splits_are_an_error(on_jax, sentence):
    assert sentence in on_jax[0]


def test_trials_run_on_several_jax_devices(on_jax):
    out, runs = on_jax
    assert out.count("code 0") == 5
    assert "hyperparameters" in run_toml.read(runs / "tuned" / "run.toml")
    assert "2 CPUs, keras.distribution.DataParallel" in out
