"""Smaller forms and other formats: each is checked, or left out with a reason."""

import dataclasses
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
import types

import keras
import numpy as np
import pytest
from rich.console import Console

from kcatalog.recipe import export, tasks
from kcatalog.recipe.commands import exporting, steps
from kcatalog.recipe.commands.options import Options
from kcatalog.recipe.data import Data
from kcatalog.recipe.data.files import draw
from kcatalog.recipe.export import (
    check_export,
    converted,
    loading,
    tf_serving,
    variant_report,
    variants,
)
from kcatalog.recipe.export.check_export import CheckFailed, Runtimes
from kcatalog.recipe.export.original import Original
from kcatalog.recipe.export.stepwise import Refused
from kcatalog.recipe.files import rundir
from kcatalog.recipe.tasks.classification import softmax
from kcatalog.recipe.terminal import output
from kcatalog.recipe.terminal.errors import RecipeError
from tests.recipe import served, tiny

CLASSES = tuple("abc")
RNG = np.random.default_rng(0)


# --- a whole export ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def all_variants(whole_way, one_process, tmp_path_factory):
    """Return the folder of the tiny model's export in all variants, its manifest, and what is
    printed."""
    folder, printed = tmp_path_factory.mktemp("variants"), io.StringIO()
    shutil.copytree(whole_way.run, folder / "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run, data = rundir.find("tiny", folder / "run"), tiny.recipe.source.load(None, 0)
        wanted, console = tuple(variants.VARIANTS), Console(file=printed, width=100)
        exporting.export_run(tiny.recipe, run, data, Options(accept="all"), wanted, console)
    folder = folder / "saved_models" / "tiny" / "1"
    return folder, json.loads((folder / "manifest.json").read_text()), printed.getvalue()


def test_each_variant_is_there_and_described(all_variants):
    folder, written, printed = all_variants
    assert list(written["variants"]) == list(variants.VARIANTS)
    live = written["metrics"]["test"]
    for name, row in written["variants"].items():
        assert "refused" not in row, row
        assert row["size_bytes"] == variants.size(folder / row["file"]) > 0
        assert row["compared_samples"] == row["scored_samples"] == 32
        assert 0 <= row["largest_difference"] < (0.5 if "int8" in name else 2e-3)
        assert row["score"] == pytest.approx(live, abs=0.1)
        assert row["latency_ms"]["single"] > 0
        assert ("batch_32" in row["latency_ms"]) == (row["format"] != "LiteRT")
        assert name in printed
    assert written["variants"]["onnx"]["opset"] == converted.OPSET
    assert written["plain"]["score"] == pytest.approx(live)
    assert "(the live model)" in printed


def test_warm_up_requests_are_read_and_run(all_variants):
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    folder, written, _ = all_variants
    model, asked = tf.saved_model.load(str(folder)), []
    for record in tf.data.TFRecordDataset(str(folder / tf_serving.WARM_UP)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log
        spec = log.request.model_spec
        assert spec.name == "tiny"
        inputs = {k: tf.constant(tf.make_ndarray(v)) for k, v in log.request.inputs.items()}
        assert model.signatures[spec.signature_name](**inputs)
        asked.append((spec.signature_name, len(next(iter(inputs.values())))))
    assert {name for name, _ in asked} == set(written["signatures"]) == set(model.signatures)
    assert ("serving_default", tf_serving.BATCH) in asked
    assert written["warm_up_requests"] == len(asked) < 10


def test_every_program_of_the_model_card_runs(all_variants, monkeypatch):
    """TensorFlow Serving's with our `serve`, which has the same endpoint."""
    folder = all_variants[0]
    monkeypatch.chdir(folder.parents[2])
    programs = re.findall("```python\n(.*?)```", (folder / "MODEL_CARD.md").read_text(), re.DOTALL)
    with served.running(loading.find(tiny.recipe)) as port:
        code = "\n".join(programs).replace(":8501", f":{port}")
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("probabilities") >= len(programs) == 5
    imported = [re.findall("^(?:import|from) ([a-z_]+)", each, re.MULTILINE) for each in programs]
    assert [names[-1] for names in imported] == [
        "tensorflow", "tensorflow", "numpy", "ai_edge_litert", "onnxruntime",
    ]  # fmt: skip


def test_onnx_knows_its_classes(all_variants):
    import onnxruntime

    file = all_variants[0] / "variants" / "float32.onnx"
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    properties = session.get_modelmeta().custom_metadata_map
    assert json.loads(properties["classes"]) == ["left", "right"]


# --- the command line ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "said"),
    [("onx", "Received: 'onx'. Did you mean 'onnx'?"), ("int8,,onnx", "Received: ''")],
)
def test_names_that_do_not_exist(call, asked, said):
    done = call("export", "--variants", asked)
    assert done.code == 2
    assert said in done.err
    assert len(done.err.splitlines()) == 1
    assert not list(done.folder.iterdir())


def test_packages_that_are_not_installed(monkeypatch):
    monkeypatch.setattr(variants.importlib.util, "find_spec", {"onnx": 1}.get)
    with pytest.raises(RecipeError, match=r"needs the package onnxruntime.*kcatalog\[export\]"):
        variants.parse("onnx")


# --- the check -----------------------------------------------------------------------------


@pytest.mark.parametrize("answered", [8, 40])
def test_answers_are_matched_with_the_live_models_and_with_labels(tmp_path, answered):
    """The live model has answered some samples from all over the test part; those are first."""
    x, y = np.arange(40.0, dtype="float32")[:, None], np.repeat([0, 1], 20).astype("int32")
    data = Data("n", "classification", "number", (x, y), (x, y), (x, y), ("few", "many"))

    def scores(x):
        return np.concatenate([np.full_like(x, 19.5), x], axis=1)  # right by the number alone

    some = x[draw(len(x), answered)]
    np.savez(tmp_path / "samples.npz", request=some, scores=scores(some))
    check = variants.Check(Original(None, data), tmp_path / "samples.npz", None)
    asked = check.asked()
    request, want = asked["request"], asked["scores"]
    np.testing.assert_array_equal(np.sort(request[:, 0]), x[:, 0])
    np.testing.assert_array_equal(scores(request)[: len(want)], want)
    assert check.scored({"scores": scores(request)}) == {"score": 1.0, "scored_samples": 40}


def test_a_process_that_dies_costs_one_job(tmp_path):
    with Runtimes() as runtimes:
        process = runtimes.start("onnx")
        process.kill()
        process.wait()
        with pytest.raises(CheckFailed, match="ended with code -9"):
            runtimes.check("onnx", model=tmp_path / "no.onnx", samples=tmp_path / "no.npz")
        with pytest.raises(CheckFailed, match=r"NoSuchFile|NO_SUCHFILE"):
            runtimes.check("onnx", model=tmp_path / "no.onnx", samples=tmp_path / "no.npz")


@pytest.mark.parametrize(
    ("runtime", "blocked"), [("tensorflow", "keras"), ("litert", "tensorflow"), ("onnx", "keras")]
)
def test_a_runtime_is_checked_without_what_its_users_need_not_have(runtime, blocked):
    """TensorFlow is a stand-in here: with it, each export is checked behind the same block."""
    program = (
        "import runpy, sys, types\n"
        "sys.modules['tensorflow'] = types.ModuleType('tensorflow')\n"
        f"sys.argv[1:] = [{runtime!r}]\n"
        f"runpy.run_path({check_export.__file__!r}, run_name='__main__')\n"
        "for name in ('keras', 'kcatalog'):\n"
        "    assert not any(m == name and sys.modules[m] for m in sys.modules)\n"
        "    assert not any(m.startswith(name + '.') for m in sys.modules)\n"
        f"import {blocked}\n"
    )
    command = [sys.executable, "-P", "-c", program]
    done = subprocess.run(command, input="", capture_output=True, text=True, check=False)
    assert f"ModuleNotFoundError: import of {blocked} halted" in done.stderr


# --- what is left out, and why -------------------------------------------------------------


ROW = {"score": 1.0, "latency_ms": {"single": 1.0}, "largest_difference": 0.0}


class Passed:
    """A check that every file passes, but those of some kinds."""

    def __init__(self, failing=()):
        self.failing = failing

    def row(self, runtime, file):
        return dict(ROW)

    def fault(self, kind, row, plain):
        return "its accuracy falls" if kind in self.failing else None


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write variants by functions of the file instead of their own."""

    def write(failing=(), accept=(), **writers):
        for name, writer in writers.items():
            variant = variants.VARIANTS[name]
            made = dataclasses.replace(
                variant.format, write=lambda _, file, kind, writer=writer: writer(file) or {}
            )
            replaced = dataclasses.replace(variant, format=made)
            monkeypatch.setitem(variants.VARIANTS, name, replaced)
        check = Passed(failing)
        return variants.write(tuple(writers), None, tmp_path / "variants", check, ROW, accept)

    return write


def failing(error):
    def write(file):
        file.write_bytes(b"half")
        raise error

    return write


def test_one_that_is_refused_leaves_the_others_alone(write, tmp_path):
    refused = failing(Refused("there is no such operation"))
    rows = write(float16=lambda file: file.mkdir(), onnx=refused)
    assert rows["onnx"]["refused"] == "there is no such operation"
    assert rows["float16"]["score"] == 1.0
    assert [f.name for f in (tmp_path / "variants").iterdir()] == ["float16"]


def test_one_that_fails_is_left_out_unless_it_is_accepted(write, tmp_path):
    writers = {"float16": lambda file: file.mkdir(), "onnx": lambda file: file.touch()}
    rows = write(failing=("float32",), **writers)
    assert rows["onnx"]["failing"] == "its accuracy falls"
    assert not rows["onnx"]["accepted"]
    assert "file" in rows["float16"]
    assert "file" not in rows["onnx"]
    assert [f.name for f in (tmp_path / "variants").iterdir()] == ["float16"]
    assert variant_report.faults(rows) == [
        "onnx was left out, because it fails: its accuracy falls. "
        "Run `export --variants onnx --accept onnx` to export it all the same."
    ]
    shutil.rmtree(tmp_path / "variants")
    rows = write(failing=("float32",), accept=("onnx",), **writers)
    assert (tmp_path / rows["onnx"]["file"]).exists()
    assert variant_report.faults(rows) == [
        "onnx is kept (--accept), but it fails: its accuracy falls."
    ]


@pytest.mark.parametrize(
    ("task", "kind", "before", "score", "difference", "fails"),
    [
        (tasks.Classification(), "int8", 0.98, 0.37, 0.9, "accuracy falls from 0.98 to 0.37"),
        (tasks.Classification(), "int8", 0.98, 0.97, 0.9, None),
        (tasks.Classification(), "int8", 0.9, 1.0, 0.9, None),
        (tasks.Classification(), "float32", 0.98, 0.98, 0.038, "differ from the live model's by"),
        (tasks.NextCharacter(), "int8", 2.76, 5.38, 0.0, "per character rises from 2.76 to 5.38"),
        (tasks.NextCharacter(), "int8", 2.76, 2.0, 0.0, None),
        (tasks.NextCharacter(), "int8", 2.76, float("nan"), 0.0, "rises from 2.76 to nan"),
        (tasks.NextCharacter(), "float32", None, None, 0.0, None),
    ],
)
def test_what_a_variant_may_lose(task, kind, before, score, difference, fails):
    original = types.SimpleNamespace(task=task, tolerance=1e-4)
    row = {"score": score, "largest_difference": difference}
    said = variants.Check(original, None, None).fault(kind, row, {"score": before})
    assert said is None if fails is None else fails in said


def test_the_advice_for_a_failing_variant_is_a_command(call, monkeypatch):
    asked = []
    monkeypatch.setattr(steps.Steps, "export", lambda step: asked.append(step))
    (sentence,) = variant_report.faults(
        {"onnx": {"failing": "its accuracy falls", "accepted": False}}
    )
    assert call(*shlex.split(sentence.split("`")[1])).code == 0
    assert (asked[0].variants, asked[0].options.accept) == (("onnx",), "onnx")


def test_accept_names_variants_that_are_exported(call):
    done = call("export", "--variants", "int8", "--accept", "onnx")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    advice = done.err.strip().rpartition("--variants ")[2]
    assert variants.accepted("onnx", variants.parse(advice)) == ["onnx"]
    assert variants.accepted("all", ["int8"]) == ["int8"]
    assert variants.accepted(None, ["int8"]) == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            RuntimeError("failed to create XNNPACK runtimefailed to create XNNPACK runtime"),
            "LiteRT's default delegate, XNNPACK, cannot prepare it (tensorflow issue 77293)",
        ),
        (
            ValueError('<unknown>:0: error: loc(fused["A:", "b"])): \'tf.A\' op is odd.\nnote'),
            "ValueError: 'tf.A' op is odd",
        ),
    ],
)
def test_what_litert_cannot_do_is_said_in_a_sentence(write, error, said):
    assert write(litert=failing(error))["litert"]["refused"] == said


class OpError(Exception):
    """An error of TensorFlow's, which is no OSError."""


@pytest.mark.parametrize("kind", [OSError, OpError, CheckFailed])
def test_a_full_disk_is_not_a_refusal(write, kind):
    with pytest.raises(kind, match="No space"):
        write(litert=failing(kind("variables/variables.data: No space left on device")))


# --- LiteRT and ONNX of models that are not made of dense layers ---------------------------


def original(layers, shape, tmp_path, length=None, dtype="float32"):
    inputs = x = keras.Input(shape, name="frames")
    for layer in layers:
        x = layer(x)
    keras.Model(inputs, keras.layers.Dense(3)(x)).save(tmp_path / "model.keras")
    x = (5 * RNG.random((20, *(n or length for n in shape)))).astype(dtype)
    part = x, np.arange(20, dtype="int32") % 3
    data = Data("some", "classification", "frames", part, part, part, CLASSES)
    return Original(tmp_path / "model.keras", data)


def compare(original, file, runtimes, runtime, tmp_path):
    samples, _ = original.data.test
    live = np.array(keras.saving.load_model(original.file)(samples, training=False))
    np.savez(tmp_path / "samples.npz", request=samples, **original.task.expected(live))
    return runtimes.check(runtime, model=file, samples=tmp_path / "samples.npz")


def bidirectional():
    return [keras.layers.Masking(), keras.layers.Bidirectional(keras.layers.LSTM(4))]


@pytest.mark.parametrize(
    ("layers", "shape", "dtype", "taken"),
    [
        (lambda: [keras.layers.Flatten()], (4, 2), "uint8", ["tensor(uint8)", [None, 4, 2]]),
        (bidirectional, (None, 2), "float32", ["tensor(float)", [None, None, 2]]),
        (
            lambda: [
                keras.layers.Normalization(mean=[1.0, 2.0], variance=[4.0, 9.0]),
                keras.layers.GaussianNoise(1.0),
                keras.layers.Reshape((4, 4, 2)),
                keras.layers.RandomTranslation(0.3, 0.3),
                keras.layers.Flatten(),
            ],
            (16, 2),
            "float32",
            ["tensor(float)", [None, 16, 2]],
        ),
    ],
    ids=["of another type than the model's", "any length", "augmentation and constants"],
)
def test_onnx(layers, shape, dtype, taken, one_process, tmp_path):
    some = original(layers(), shape, tmp_path, length=5, dtype=dtype)
    converted.onnx(some, tmp_path / "a.onnx")
    found = compare(some, tmp_path / "a.onnx", one_process, "onnx", tmp_path)
    assert found["largest_difference"] < 1e-5
    assert found["inputs"] == {"frames": taken}


@pytest.mark.parametrize("kind", ["dynamic_int8", "int8"])
def test_litert_takes_one_sample_of_one_length(one_process, tmp_path, kind):
    """Full int8 is unrolled, the others have a loop."""
    some = original(bidirectional(), (None, 2), tmp_path, length=5)
    converted.litert(some, tmp_path / "a.tflite", kind)
    found = compare(some, tmp_path / "a.tflite", one_process, "litert", tmp_path)
    assert found["largest_difference"] < 0.1
    assert found["inputs"] == {"frames": ["float32", [1, 5, 2]]}


def test_a_spectrogram_has_no_onnx(tmp_path):
    layers = [
        keras.layers.MelSpectrogram(fft_length=32, sequence_stride=16, num_mel_bins=4),
        keras.layers.Flatten(),
    ]
    with pytest.raises(Refused, match=r"ONNX has no operation .*RFFT.*, which the model needs"):
        converted.onnx(original(layers, (64,), tmp_path), tmp_path / "a.onnx")


def test_too_long_for_full_int8(tmp_path):
    some = original([keras.layers.GRU(2)], (None, 2), tmp_path, length=300)
    with pytest.raises(Refused, match="up to 256 steps; these have 300"):
        converted.litert(some, tmp_path / "a.tflite", "int8")


def test_full_int8_takes_its_ranges_from_all_classes():
    """Samples stand in the order of their classes."""
    x, y = np.arange(1000, dtype="float32")[:, None], np.arange(1000, dtype="int32") // 500
    data = Data("n", "classification", "x", (x, y), (x, y), (x, y), ("few", "many"))
    model = keras.Sequential([keras.Input((1,), name="x"), keras.layers.Dense(1)])
    drawn = [x["x"].item() for x in converted._representative(Original(None, data), model)]
    assert len(set(drawn)) == converted.CALIBRATION
    assert np.histogram(drawn, 4, (0, 1000))[0].min() > 30
    assert drawn == [x["x"].item() for x in converted._representative(Original(None, data), model)]


def text(codes):
    part = codes, codes % 4
    return Data("abc", "next-character", "characters", part, part, part, tuple("\nabc"))


def test_full_int8_reads_windows_from_everywhere_in_a_text():
    codes = np.arange(1000, dtype="int32").reshape(50, 20)

    def count(x):
        return {"next_state": x["state"] + 1}

    count.inputs = [keras.Input((), name="character"), keras.Input((3,), name="state")]
    read = list(converted._representative(Original(None, text(codes)), count))
    assert len(read) == converted.TEXTS * 20
    first, last = read[: converted.TEXTS], read[-converted.TEXTS :]
    assert len({x["character"].item() for x in first}) == converted.TEXTS
    for begins, ends in zip(first, last, strict=True):
        assert ends["character"].item() == begins["character"].item() + 19
        assert begins["state"].tolist() == [[0, 0, 0]]
        assert ends["state"].tolist() == [[19, 19, 19]]


def text_model(folder, layer):
    """Return a text model that is to be exported, its outputs for the test part, and the file of
    those."""
    inputs = keras.Input((None,), dtype="int32", name="characters")
    ids = keras.ops.where((inputs >= 97) & (inputs <= 99), inputs - 96, 0)
    model = keras.Model(inputs, keras.layers.Dense(4)(layer(keras.layers.Embedding(4, 8)(ids))))
    model.save(folder / "model.keras")
    some = Original(folder / "model.keras", text(97 + RNG.integers(0, 3, (6, 40)).astype("int32")))
    x, outputs = some.data.test[0], np.array(model(some.data.test[0]))
    np.savez(folder / "samples.npz", request=some.task.request(x), **some.task.expected(outputs))
    return some, outputs, folder / "samples.npz"


def test_a_text_model_goes_step_by_step_in_each_format(tmp_path, monkeypatch, one_process):
    """All of its variants carry the state, and are scored by every character of the test part."""
    monkeypatch.chdir(tmp_path)
    gru = keras.layers.GRU(6, return_sequences=True, name="gru")
    some, outputs, samples = text_model(tmp_path, gru)
    names, manifest = ("int8", "litert", "litert_int8", "onnx"), {"tolerance": 1e-4}
    folder = export.export("abc", some.file, samples, some.data, manifest, names, names)
    written = json.loads((folder / "manifest.json").read_text())
    y = some.data.test[1]
    live = float(np.mean(-np.log2(np.take_along_axis(softmax(outputs), y[..., None], -1))))
    assert written["plain"]["largest_difference"] < 1e-5
    for name in names:
        row = written["variants"][name]
        assert row["score"] == pytest.approx(live, abs=0.5 if name == "litert_int8" else 0.02)
        assert row["scored_samples"] == 6
        assert "gru_state0" in row["inputs"]
        assert "next_gru_state0" in row["outputs"]


def test_a_text_model_without_steps_is_exported_without_a_score(tmp_path, monkeypatch, one_process):
    monkeypatch.chdir(tmp_path)
    gru = keras.layers.GRU(6, return_sequences=True)
    some, _, samples = text_model(tmp_path, keras.layers.Bidirectional(gru))
    folder = export.export("abc", some.file, samples, some.data, {"tolerance": 1e-4}, ("onnx",))
    written = json.loads((folder / "manifest.json").read_text())
    assert "is bidirectional" in written["no_step"]
    assert written["plain"]["score"] is None
    assert "step by step" in written["variants"]["onnx"]["refused"]


def test_failing_and_useless_variants_have_colors():
    def row(size, milliseconds, **more):
        latency = {"single": milliseconds, "batch_32": 2 * milliseconds}
        return {
            "size_bytes": size,
            "latency_ms": latency,
            "score": 0.9,
            "largest_difference": 0,
            **more,
        }

    rows = {
        "float16": row(5000, 2.0),  # larger and slower
        "int8": row(1000, 2.0),
        "onnx": row(5000, 0.5, failing="..."),
    }
    metrics = {"measure": "accuracy", "test": 0.9}
    manifest = {"metrics": metrics, "plain": row(0, 1.0), "size_bytes": 4000, "variants": rows}
    console = output.console(file=io.StringIO(), width=100, force_terminal=True)
    variant_report.show(console, manifest)
    lines = console.file.getvalue().splitlines()
    styles = {name: next(line for line in lines if name in line) for name in rows}
    assert "\x1b[33m" in styles["float16"]
    assert "\x1b[31m" in styles["onnx"]
    assert not {"\x1b[31m", "\x1b[33m"} & set(re.findall("\x1b\\[\\d+m", styles["int8"]))
    assert "float16 is neither smaller nor faster than the SavedModel." in lines[-1]
