"""Smaller forms and other formats: each is checked, or left out with a reason."""

import dataclasses
import json
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest

from kcatalog.recipe import export, tasks
from kcatalog.recipe.data import Data
from kcatalog.recipe.export import check_export, converted, tf_serving, variants
from kcatalog.recipe.export.numeric import Original
from kcatalog.recipe.export.runtimes import CheckFailed, Runtimes
from kcatalog.recipe.export.stepwise import Refused
from kcatalog.recipe.terminal.errors import RecipeError
from tests.recipe import tiny
from tests.recipe.conftest import start

CLASSES = list("abc")
RNG = np.random.default_rng(0)


# --- any backend ---------------------------------------------------------------------------


@pytest.fixture(scope="session")
def all_variants(whole_way, tmp_path_factory):
    """`python tiny.py export --variants all` of the model that this backend trained."""
    folder = tmp_path_factory.mktemp("variants")
    shutil.copytree(whole_way.folder / "runs", folder / "runs")
    done = start("export", "--variants", "all", folder=folder)
    assert done.code == 0, done.err
    return done


def manifest(done):
    return json.loads((done.folder / "saved_models/tiny/1/manifest.json").read_text())


@pytest.mark.slow
def test_each_variant_is_there_and_described(all_variants):
    written = manifest(all_variants)
    assert list(written["variants"]) == list(variants.VARIANTS)
    live = written["metrics"]["test"]
    for name, row in written["variants"].items():
        assert "refused" not in row, row
        file = all_variants.folder / "saved_models/tiny/1" / row["file"]
        assert row["size_bytes"] == variants.size(file) > 0
        assert row["compared_samples"] == row["scored_samples"] == 32
        assert 0 <= row["largest_difference"] < (0.5 if "int8" in name else 2e-3)
        assert row["score"] == pytest.approx(live, abs=0.1)
        assert row["latency_ms"]["single"] > 0
        assert ("batch_32" in row["latency_ms"]) == (row["format"] != "LiteRT")
        assert name in all_variants.out
    assert written["variants"]["onnx"]["opset"] == converted.OPSET
    assert written["plain"]["score"] == pytest.approx(live)
    assert "(the live model)" in all_variants.out


@pytest.mark.slow
def test_warm_up_requests_are_read_and_run(all_variants):
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    folder, written = all_variants.folder / "saved_models/tiny/1", manifest(all_variants)
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


@pytest.mark.slow
def test_onnx_knows_its_classes(all_variants):
    import onnxruntime

    file = all_variants.folder / "saved_models/tiny/1/variants/float32.onnx"
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    properties = session.get_modelmeta().custom_metadata_map
    assert json.loads(properties["classes"]) == ["left", "right"]


# --- the command line ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "said"),
    [("tflite", "Received: 'tflite'"), ("onx", "Did you mean 'onnx'?"), ("int8,,onnx", "''")],
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


# --- what is left out, and why -------------------------------------------------------------


class Check:
    """A check that every file passes."""

    def row(self, runtimes, runtime, file):
        return {"score": 1.0, "latency_ms": {"single": 1.0}, "largest_difference": 0.0}


def test_one_that_is_refused_leaves_the_others_alone(tmp_path):
    def refused(file):
        file.write_bytes(b"half")
        raise Refused("there is no such operation")

    makers = {"int8": lambda file: file.mkdir() or {}, "onnx": refused}
    with Runtimes() as runtimes:
        rows = variants.write(["int8", "onnx"], makers, tmp_path / "variants", Check(), runtimes)
    assert rows["onnx"]["refused"] == "there is no such operation"
    assert rows["int8"]["score"] == 1.0
    assert [f.name for f in (tmp_path / "variants").iterdir()] == ["int8"]


def test_what_litert_cannot_prepare_is_said_in_our_words(tmp_path):
    def broken(file):
        raise RuntimeError("failed to create XNNPACK runtimefailed to create XNNPACK runtime")

    rows = variants.write(["litert_int8"], {"litert_int8": broken}, tmp_path, Check(), None)
    assert rows["litert_int8"]["refused"] == (
        "LiteRT's default delegate, XNNPACK, cannot prepare it (tensorflow issue 77293)"
    )


def test_what_litert_cannot_convert_is_said_without_its_names(tmp_path):
    def broken(file):
        raise ValueError('<unknown>:0: error: loc(fused["A:", "b"])): \'tf.A\' op is odd.\nnote')

    rows = variants.write(["litert"], {"litert": broken}, tmp_path, Check(), None)
    assert rows["litert"]["refused"] == "ValueError: 'tf.A' op is odd"


class OpError(Exception):
    """An error of TensorFlow's, which is no OSError."""


@pytest.mark.parametrize("kind", [OSError, OpError, CheckFailed])
def test_a_full_disk_is_not_a_refusal(tmp_path, kind):
    def full(file):
        raise kind("variables/variables.data: No space left on device")

    with pytest.raises(kind, match="No space"):
        variants.write(["int8"], {"int8": full}, tmp_path / "variants", Check(), None)


@pytest.mark.tensorflow
def test_full_int8_takes_its_ranges_from_all_classes():
    """Samples stand in the order of their classes."""
    samples = np.arange(1000, dtype="float32")[:, None]
    original = Original(None, tasks.Classification(), tiny.info(), samples, stepwise=False)
    model = keras.Sequential([keras.Input((1,), name="x"), keras.layers.Dense(1)])
    drawn = [x["x"].item() for x in converted._representative(original, model)]
    assert len(set(drawn)) == converted.CALIBRATION
    assert np.histogram(drawn, 4, (0, 1000))[0].min() > 30
    assert drawn == [x["x"].item() for x in converted._representative(original, model)]


@pytest.mark.tensorflow
def test_full_int8_reads_windows_from_everywhere_in_a_text():
    codes = np.arange(1000, dtype="int32").reshape(50, 20)
    original = Original(None, tasks.NextCharacter(), tiny.info(), codes, stepwise=True)

    def count(x):
        return {"next_state": x["state"] + 1}

    count.inputs = [keras.Input((), name="character"), keras.Input((3,), name="state")]
    read = list(converted._representative(original, count))
    assert len(read) == converted.TEXTS * 20
    first, last = read[: converted.TEXTS], read[-converted.TEXTS :]
    assert len({x["character"].item() for x in first}) == converted.TEXTS
    for begins, ends in zip(first, last, strict=True):
        assert ends["character"].item() == begins["character"].item() + 19
        assert begins["state"].tolist() == [[0, 0, 0]]
        assert ends["state"].tolist() == [[19, 19, 19]]


def test_a_process_that_dies_costs_one_job(tmp_path):
    with Runtimes() as runtimes:
        process = runtimes.start("onnx")
        process.kill()
        process.wait()
        with pytest.raises(CheckFailed, match="ended with code -9"):
            runtimes.check("onnx", model=tmp_path / "no.onnx", samples=tmp_path / "no.npz")
        with pytest.raises(CheckFailed, match=r"NoSuchFile|NO_SUCHFILE"):
            runtimes.check("onnx", model=tmp_path / "no.onnx", samples=tmp_path / "no.npz")


@pytest.mark.parametrize("runtime", ["litert", "onnx"])
def test_light_runtimes_do_without_tensorflow(runtime):
    program = (
        "import runpy, sys\n"
        f"sys.argv[1:] = [{runtime!r}]\n"
        f"runpy.run_path({check_export.__file__!r}, run_name='__main__')\n"
        "import tensorflow\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        input="",
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ModuleNotFoundError: import of tensorflow halted" in done.stderr


# --- LiteRT and ONNX of models that are not made of dense layers ---------------------------


def converted_from(layers, shape, tmp_path, length=None):
    inputs = keras.Input(shape, name="frames")
    x = inputs
    for layer in layers:
        x = layer(x)
    keras.Model(inputs, keras.layers.Dense(3)(x)).save(tmp_path / "model.keras")
    shape = [n or length for n in shape]
    info = tiny.info("classification", "frames", shape, CLASSES)
    samples = RNG.normal(size=(20, *shape)).astype("float32")
    return Original(tmp_path / "model.keras", tasks.Classification(), info, samples, stepwise=False)


def compare(original, file, runtime, tmp_path):
    live = keras.saving.load_model(original.file)(original.samples, training=False)
    want = original.task.expected(np.array(live))
    np.savez(tmp_path / "samples.npz", request=original.samples, **want)
    with Runtimes() as runtimes:
        return runtimes.check(runtime, model=file, samples=tmp_path / "samples.npz")


@pytest.mark.tensorflow
def test_samples_of_another_type_than_the_models(tmp_path):
    original = converted_from([keras.layers.Flatten()], (4, 2), tmp_path)
    samples = RNG.integers(0, 256, (20, 4, 2)).astype("uint8")
    original = dataclasses.replace(original, samples=samples)
    converted.onnx(original, tmp_path / "a.onnx")
    found = compare(original, tmp_path / "a.onnx", "onnx", tmp_path)
    assert found["largest_difference"] < 1e-4
    assert found["inputs"] == {"frames": ["tensor(uint8)", [None, 4, 2]]}


def recurrent(tmp_path):
    lstm = keras.layers.Bidirectional(keras.layers.LSTM(4))
    return converted_from([keras.layers.Masking(), lstm], (None, 2), tmp_path, length=5)


@pytest.mark.tensorflow
def test_onnx_takes_any_length(tmp_path):
    original = recurrent(tmp_path)
    converted.onnx(original, tmp_path / "a.onnx")
    found = compare(original, tmp_path / "a.onnx", "onnx", tmp_path)
    assert found["largest_difference"] < 1e-5
    assert found["inputs"] == {"frames": ["tensor(float)", [None, None, 2]]}


@pytest.mark.slow
@pytest.mark.parametrize("kind", converted.LITERT)
@pytest.mark.tensorflow
def test_litert_takes_one_sample_of_one_length(tmp_path, kind):
    original = recurrent(tmp_path)
    converted.litert(original, tmp_path / "a.tflite", kind)
    found = compare(original, tmp_path / "a.tflite", "litert", tmp_path)
    assert found["largest_difference"] < (0.1 if "int8" in kind else 1e-3)
    assert found["inputs"] == {"frames": ["float32", [1, 5, 2]]}


@pytest.mark.tensorflow
def test_a_spectrogram_has_no_onnx(tmp_path):
    layers = [
        keras.layers.MelSpectrogram(fft_length=32, sequence_stride=16, num_mel_bins=4),
        keras.layers.Flatten(),
    ]
    original = converted_from(layers, (64,), tmp_path)
    with pytest.raises(Refused, match=r"ONNX has no operation .*RFFT.*, which the model needs"):
        converted.onnx(original, tmp_path / "a.onnx")


@pytest.mark.tensorflow
def test_augmentation_and_constants_are_not_for_onnx(tmp_path):
    layers = [
        keras.layers.Normalization(mean=[1.0, 2.0], variance=[4.0, 9.0]),
        keras.layers.GaussianNoise(1.0),
        keras.layers.Reshape((4, 4, 2)),
        keras.layers.RandomTranslation(0.3, 0.3),
        keras.layers.Flatten(),
    ]
    original = converted_from(layers, (16, 2), tmp_path)
    converted.onnx(original, tmp_path / "a.onnx")
    found = compare(original, tmp_path / "a.onnx", "onnx", tmp_path)
    assert found["largest_difference"] < 1e-5


@pytest.mark.tensorflow
def test_too_long_for_full_int8(tmp_path):
    original = converted_from([keras.layers.GRU(2)], (None, 2), tmp_path, length=300)
    with pytest.raises(Refused, match="up to 256 steps; these have 300"):
        converted.litert(original, tmp_path / "a.tflite", "litert_int8")


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_text_model_goes_step_by_step_in_each_format(tmp_path, monkeypatch, bidirectional):
    """All of its variants carry the state, and are scored by every character of the test part."""
    monkeypatch.chdir(tmp_path)
    inputs = keras.Input((None,), dtype="int32", name="characters")
    ids = keras.ops.where((inputs >= 97) & (inputs <= 99), inputs - 96, 0)
    layer = keras.layers.GRU(6, return_sequences=True, name="gru")
    layer = keras.layers.Bidirectional(layer) if bidirectional else layer
    model = keras.Model(inputs, keras.layers.Dense(4)(layer(keras.layers.Embedding(4, 8)(ids))))
    model.save("model.keras")
    x, y = 97 + RNG.integers(0, 3, (6, 40)).astype("int32"), RNG.integers(0, 4, (6, 40))
    data = Data("abc", "next-character", "characters", (x, y), (x, y), (x, y), tuple("\nabc"))
    outputs = model.predict(x, verbose=0)
    task = tasks.NextCharacter()
    np.savez("samples.npz", request=task.request(x), **task.expected(outputs))
    names = ("int8", "litert", "litert_int8", "onnx")
    manifest = {"tolerance": 1e-4, "data": data.info.to_record()}
    job = export.Job(
        "abc", tmp_path / "model.keras", tmp_path / "samples.npz", manifest, task, data, names
    )
    written = json.loads((export.export(job) / "manifest.json").read_text())
    if bidirectional:
        assert "is bidirectional" in written["no_step"]
        assert written["variants"]["int8"]["score"] is None
        assert "step by step" in written["variants"]["onnx"]["refused"]
        return
    live = float(np.mean(-np.log2(np.take_along_axis(probabilities(outputs), y[..., None], -1))))
    assert written["plain"]["largest_difference"] < 1e-5
    for name in names:
        row = written["variants"][name]
        assert row["score"] == pytest.approx(live, abs=0.5 if name == "litert_int8" else 0.02)
        assert row["scored_samples"] == 6
        assert "gru_state0" in row["inputs"]
        assert "next_gru_state0" in row["outputs"]


def probabilities(logits):
    e = np.exp(logits)
    return e / e.sum(-1, keepdims=True)
