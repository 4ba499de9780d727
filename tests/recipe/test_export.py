"""Export: complete and verified, or not at all; and nothing older is ever touched."""

import dataclasses
import json
import os
import resource
import subprocess
import sys
import types

import keras
import numpy as np
import pytest

from kcatalog.recipe import export, tasks
from kcatalog.recipe.commands import exporting
from kcatalog.recipe.commands.options import Options
from kcatalog.recipe.export import check_export, signatures, versions
from kcatalog.recipe.files import disk
from kcatalog.recipe.files.rundir import Run
from kcatalog.recipe.tasks.classification import softmax
from kcatalog.recipe.terminal.errors import RecipeError
from tests.recipe import tiny

pytestmark = pytest.mark.tensorflow

TEXT = tiny.info("next-character", "characters", classes="\nabc")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def again(whole_way, folder):
    """Export the tiny model once more, perhaps with other facts or samples."""
    run = whole_way.run
    manifest = json.loads((whole_way.folder / "saved_models/tiny/1/manifest.json").read_text())

    def again(samples=run / "samples.npz", **facts):
        job = export.Job(
            "tiny", run / "model.keras", samples, {**manifest, **facts}, tasks.Classification()
        )
        return export.export(job)

    return again


def left_behind(folder):
    return [str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file()]


def test_versions_count_up_and_older_ones_stay(again, folder):
    older = folder / "saved_models" / "tiny" / "7"
    older.mkdir(parents=True)
    (older / "saved_model.pb").write_bytes(b"served right now")
    assert again().name == "8"
    assert (older / "saved_model.pb").read_bytes() == b"served right now"
    assert sorted(d.name for d in older.parent.iterdir()) == ["7", "8", "models.config"]
    assert export.newest("tiny").name == "8"


def test_exports_at_one_moment_have_versions_of_their_own(folder, monkeypatch):
    """Both have looked before either is in place."""
    place = folder / "saved_models" / "tiny"
    (place / "1").mkdir(parents=True)
    monkeypatch.setattr(versions, "numbers", lambda _: [1])
    for name, number in (("first", "2"), ("second", "3")):
        (folder / name).mkdir()
        (folder / name / "saved_model.pb").write_text(name)
        assert versions.put_in_place(folder / name, place) == place / number
    assert (place / "2" / "saved_model.pb").read_text() == "first"
    assert (place / "3" / "saved_model.pb").read_text() == "second"


def test_a_version_reaches_the_disk_before_it_gets_its_number(folder, monkeypatch):
    (folder / "model" / "variables").mkdir(parents=True)
    for name in ("saved_model.pb", "variables/variables.index"):
        (folder / "model" / name).write_text("a")
    happened, rename = [], os.rename
    monkeypatch.setattr(versions.disk, "sync", lambda file: happened.append(file.name))
    monkeypatch.setattr(os, "rename", lambda a, b: (happened.append("rename"), rename(a, b)))
    versions.put_in_place(folder / "model", folder)
    assert sorted(happened[:2]) == ["saved_model.pb", "variables.index"]
    assert happened[2:] == ["rename"]


def test_the_newest_versions_are_kept_where_that_is_asked(folder):
    place = folder / "saved_models" / "tiny"
    for number in (1, 2, 9, 10):
        (place / str(number)).mkdir(parents=True)
        (place / str(number) / "manifest.json").write_text("{}")
    (place / "3").mkdir()  # not an export of ours
    gone = versions.keep_newest("tiny", 2)
    assert [d.name for d in gone] == ["1", "2"]
    assert sorted(d.name for d in place.iterdir()) == ["10", "3", "9"]


def test_what_a_kill_leaves_of_deleted_versions_goes_with_the_next_export(folder, monkeypatch):
    place = folder / "saved_models" / "tiny"
    for number in (1, 2):
        (place / str(number)).mkdir(parents=True)
        (place / str(number) / "manifest.json").write_text("{}")

    def killed(path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(disk.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            versions.keep_newest("tiny", 1)
    assert len(list(place.iterdir())) == 2
    with disk.workspace(place):
        pass
    assert [d.name for d in place.iterdir()] == ["2"]


def test_configuration_for_tensorflow_serving(again, folder):
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    again()
    file = folder / "saved_models" / "tiny" / "models.config"
    empty = model_server_config_pb2.ModelServerConfig()
    (config,) = text_format.Parse(file.read_text(), empty).model_config_list.config
    assert (config.name, config.base_path) == ("tiny", "/models/tiny")
    assert config.model_version_policy.latest.num_versions == 2
    file.write_text("# mine")
    again()
    assert file.read_text() == "# mine"


def test_over_tolerance_nothing_is_left(again, folder, whole_way):
    with np.load(whole_way.run / "samples.npz") as file:
        arrays = dict(file)
    arrays["scores"] = arrays["scores"] + 0.01
    np.savez(folder / "wrong.npz", **arrays)
    with pytest.raises(RecipeError, match="differ from the live model's by 0"):
        again(folder / "wrong.npz")
    assert left_behind(folder) == ["wrong.npz"]


@pytest.mark.parametrize("place", ["the first file", "in the middle"])
def test_a_full_disk(again, folder, whole_way, place):
    """A limit on the size of files stands in: writing fails where it is reached."""
    model_file = whole_way.run / "model.keras"  # smaller than the graph, the largest file
    limit = 1000 if place == "the first file" else model_file.stat().st_size + 1000
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(RecipeError, match="Nothing was exported"):
            again()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert left_behind(folder) == []


def test_an_error_of_tensorflows_is_not_the_disks(again, folder, monkeypatch):
    import tensorflow as tf

    def broken(*_, **__):
        raise tf.errors.InvalidArgumentError(None, None, "shapes do not fit")

    monkeypatch.setattr(signatures, "write", broken)
    with pytest.raises(tf.errors.InvalidArgumentError, match="shapes do not fit"):
        again()
    assert left_behind(folder) == []


def test_a_full_disk_in_tensorflows_words(again, folder, monkeypatch):
    import tensorflow as tf

    def full(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "a.data; No space left on device")

    monkeypatch.setattr(signatures, "write", full)
    with pytest.raises(RecipeError) as error:
        again()
    assert str(error.value) == (
        "Nothing was exported to saved_models/tiny. Cannot write a file: No space left on device."
    )
    assert left_behind(folder) == []


def test_a_saved_model_that_does_not_run(again, folder, monkeypatch):
    def broken(model, task, info, path, **_):
        path.mkdir()
        (path / "saved_model.pb").write_bytes(b"not a graph")

    monkeypatch.setattr(signatures, "write", broken)
    with pytest.raises(RecipeError, match="does not run in TensorFlow without Keras"):
        again()
    assert left_behind(folder) == []


def test_the_checking_process_cannot_import_keras():
    program = (
        "import sys, runpy\n"
        "sys.argv[1:] = ['tensorflow']\n"
        f"runpy.run_path({check_export.__file__!r}, run_name='__main__')\n"
        "assert 'tensorflow' in sys.modules\n"
        "for name in ('keras', 'kcatalog'):\n"
        "    assert not any(m == name and sys.modules[m] for m in sys.modules)\n"
        "    assert not any(m.startswith(name + '.') for m in sys.modules)\n"
        "import keras\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input="", capture_output=True, text=True, check=False
    )
    assert "ModuleNotFoundError: import of keras halted" in done.stderr


# --- what was trained on JAX or PyTorch ----------------------------------------------------

SCRIPT = """
import json, sys
from pathlib import Path

Path("arguments.json").write_text(json.dumps(sys.argv[1:]))
"""


@pytest.fixture
def program(folder, monkeypatch):
    """A script that imports its `build` from elsewhere runs now, on another backend."""
    program = types.ModuleType("__main__")
    program.__file__ = str(folder / "run.py")
    program.chosen = dataclasses.replace(tiny.recipe)
    (folder / "run.py").write_text(SCRIPT)
    monkeypatch.setitem(sys.modules, "__main__", program)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    return program


def test_another_process_of_a_recipe_runs_the_recipes_script(program):
    assert program.chosen.script == program.__file__
    assert tiny.recipe.script == tiny.__file__  # which another program runs


def test_tensorflow_exports_by_the_recipes_script(program, folder):
    exports = SCRIPT + "Path('saved_models/tiny/1').mkdir(parents=True)"
    (folder / "run.py").write_text(exports)
    asked = Options(variants="int8", keep_versions=2, debug=True)
    exporting.export_run(program.chosen, Run(folder / "run", {}), None, asked, (), None)
    assert json.loads((folder / "arguments.json").read_text()) == [
        *("export", "--variants", "int8", "--keep-versions", "2", "--devices", "cpu"),
        *("--run-dir", str(folder / "run"), "--debug"),
    ]


def test_a_script_that_exports_nothing(program, folder):
    with pytest.raises(RecipeError, match=r"exported nothing.*must end in"):
        exporting.export_run(program.chosen, Run(folder / "run", {}), None, Options(), (), None)


# --- signatures ----------------------------------------------------------------------------


def served(folder, **inputs):
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))
    signature = loaded.signatures["serving_default"]
    outputs = signature(**{k: tf.constant(v) for k, v in inputs.items()})
    return {k: v.numpy() for k, v in outputs.items()}


def test_classification_signature(whole_way):
    x = np.array([[2.0, 0.0], [-2.0, 0.0]], "float32")
    answer = served(whole_way.folder / "saved_models" / "tiny" / "1", point=x)
    assert answer["label"].tolist() == [b"right", b"left"]
    assert np.allclose(answer["probabilities"], softmax(answer["scores"]))
    live = keras.saving.load_model(whole_way.run / "model.keras").predict(x, verbose=0)
    assert np.allclose(answer["scores"], live, atol=1e-5)


@pytest.fixture(scope="module")
def text_model():
    """A causal model of four characters, as a recipe for text builds it."""
    inputs = keras.Input((None,), dtype="int32", name="characters")
    ids = keras.ops.where((inputs >= 97) & (inputs <= 99), inputs - 96, 0)
    x = keras.layers.Embedding(4, 8)(ids)
    x = keras.layers.GRU(8, return_sequences=True)(x)
    return keras.Model(inputs, keras.layers.Dense(4)(x))


def test_next_character_signature(text_model, tmp_path):
    signatures.write(text_model, tasks.NextCharacter(), TEXT, tmp_path / "model")
    texts = ["abc", "a", "", "abcabcabca", "bé", b"b\xff"]
    answer = served(tmp_path / "model", text=texts)["probabilities"]
    assert answer.shape == (6, 4)
    for text, p in zip(["abc", "a", "\n", "abcabcabca", "bé", "b�"], answer, strict=True):
        codes = np.array([[ord(c) for c in text]], "int32")
        live = softmax(text_model.predict(codes, verbose=0)[0, -1])
        assert np.allclose(p, live, atol=1e-6), text


def test_text_requests_and_answers_match(text_model):
    codes = np.array([[97, 98, 99], [99, 10, 97]], "int32")
    logits = text_model.predict(codes, verbose=0)
    assert tasks.NextCharacter().request(codes).tolist() == ["abc", "c\na"]
    answer = tasks.NextCharacter().expected(logits)["probabilities"]
    assert np.allclose(answer, softmax(logits[:, -1]))
