"""Export: complete and verified, or not at all; and nothing older is ever touched."""

import dataclasses
import json
import resource
import sys
import types

import keras
import numpy as np
import pytest

from kcatalog.recipe import export, tasks
from kcatalog.recipe.commands import exporting
from kcatalog.recipe.commands.options import Options
from kcatalog.recipe.export import model_card, signatures, versions
from kcatalog.recipe.files import disk, rundir
from kcatalog.recipe.files.rundir import Run
from kcatalog.recipe.terminal.errors import RecipeError
from tests.recipe import tiny

pytestmark = pytest.mark.tensorflow
SIGNATURE = {
    "serving_default": {
        "inputs": {"point": ["float32", [None, 2]]},
        "outputs": {"scores": ["float32", [None, 2]]},
    }
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def again(whole_way, one_process, folder):
    """Export the tiny model once more, perhaps with other samples."""
    run, data = whole_way.run, tiny.recipe.source.load()

    def again(samples=run / "samples.npz"):
        return export.export("tiny", run / "model.keras", samples, data, {"tolerance": 1e-4})

    return again


def left_behind(folder):
    files = (f for f in folder.rglob("*") if f.is_file() and f.name != disk.LOCK)
    return [str(f.relative_to(folder)) for f in files]


def test_versions_count_up_and_older_ones_stay(again, folder):
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    place = folder / "saved_models" / "tiny"
    (place / "7").mkdir(parents=True)
    (place / "7" / "saved_model.pb").write_bytes(b"served right now")
    assert again().name == "8"
    empty = model_server_config_pb2.ModelServerConfig()
    configured = text_format.Parse((place / "models.config").read_text(), empty)
    (config,) = configured.model_config_list.config
    assert (config.name, config.base_path) == ("tiny", "/models/tiny")
    assert config.model_version_policy.latest.num_versions == 2
    (place / "models.config").write_text("# mine")
    assert again().name == "9"
    assert (place / "models.config").read_text() == "# mine"
    assert (place / "7" / "saved_model.pb").read_bytes() == b"served right now"
    assert sorted(d.name for d in place.glob("[!.]*")) == ["7", "8", "9", "models.config"]
    assert export.newest("tiny").name == "9"


def test_the_model_card_says_what_the_manifest_knows(whole_way):
    folder = whole_way.folder / "saved_models" / "tiny" / "1"
    manifest, card = rundir.read_json(folder / "manifest.json"), (folder / "MODEL_CARD.md")
    card = card.read_text()
    assert card.startswith("# tiny\n")
    for finding in manifest["findings"]:
        assert f"| {finding['about']} | {finding['text']} |" in card
    assert f"| this model | {manifest['metrics']['test']:.6g} |" in card
    assert f"| baseline: always left | {manifest['metrics']['baseline']['test']:.6g} |" in card
    for name in (*manifest["hyperparameters"], *(f"`{name}`" for name in manifest["signatures"])):
        assert f"| {name} |" in card
    assert manifest["versions"]["keras"] in card
    assert "import keras" in card
    assert "InferenceSession" not in card  # a form that was not exported


@pytest.mark.parametrize(
    ("test", "baseline", "higher", "warned"),
    [(0.6, 0.9, True, True), (0.9, 0.6, True, False), (3.0, 2.0, False, True), (1, 1, True, False)],
)
def test_a_model_worse_than_its_baseline_is_exported_with_a_warning(test, baseline, higher, warned):
    metrics = {"test": test, "higher": higher, "measure": "accuracy", "test_samples": 3}
    metrics["baseline"] = {"name": "nearest neighbour", "test": baseline}
    sentences = list(exporting._worse_than_baseline(metrics))
    assert bool(sentences) == warned
    manifest = {"warnings": sentences, "metrics": metrics, "versions": {}, "signatures": SIGNATURE}
    card = model_card.text("some", tiny.info(), manifest)
    assert ("> **Warning:** This model is worse than its baseline" in card) == warned


def test_outputs_that_depend_on_the_other_samples_of_a_batch_are_a_warning(
    tmp_path, folder, one_process
):
    """As with Keras's MelSpectrogram, whose floor is below the loudest sample of the batch."""
    inputs = keras.Input((2,), name="point")
    model = keras.Model(inputs, keras.ops.max(inputs) - keras.layers.Dense(2)(inputs))
    model.save(folder / "model.keras")
    data = tiny.recipe.load()
    task, x = tasks.Classification(), data.test[0]
    np.savez(folder / "samples.npz", request=x, **task.expected(np.array(model(x))))
    version = export.export(
        "some", folder / "model.keras", folder / "samples.npz", data, {"tolerance": 1e-4}
    )
    (sentence,) = rundir.read_json(version / "manifest.json")["warnings"]
    assert sentence.startswith("A sample's outputs depend on the other samples of its batch")
    assert sentence in (version / "MODEL_CARD.md").read_text()


def test_a_version_reaches_the_disk_before_it_gets_its_number(folder, monkeypatch):
    (folder / "model" / "variables").mkdir(parents=True)
    for name in ("saved_model.pb", "variables/variables.index"):
        (folder / "model" / name).write_text("a")
    synced = []
    monkeypatch.setattr(versions.disk, "sync", synced.append)
    versions.put_in_place(folder / "model", folder)
    files = [folder / "model" / name for name in ("saved_model.pb", "variables/variables.index")]
    assert sorted(synced) == files  # which it finds before the renaming alone


def test_the_newest_versions_are_kept_where_that_is_asked(folder):
    place = folder / "saved_models" / "tiny"
    for number in (1, 2, 9, 10):
        (place / str(number)).mkdir(parents=True)
        (place / str(number) / "manifest.json").write_text("{}")
    (place / "3").mkdir()  # not an export of ours
    gone = versions.keep_newest("tiny", 2)
    assert [d.name for d in gone] == ["1", "2"]
    assert sorted(d.name for d in place.glob("[!.]*")) == ["10", "3", "9"]


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
    assert list(place.glob(".unfinished*"))
    with disk.workspace(place):
        pass
    assert sorted(d.name for d in place.iterdir()) == [".lock", "2"]


def test_over_tolerance_nothing_is_left(again, folder, whole_way):
    with np.load(whole_way.run / "samples.npz") as file:
        arrays = dict(file)
    arrays["scores"] = arrays["scores"] + 0.01
    np.savez(folder / "wrong.npz", **arrays)
    with pytest.raises(RecipeError, match="differ from the live model's by 0"):
        again(folder / "wrong.npz")
    assert left_behind(folder) == ["wrong.npz"]


def test_a_full_disk(again, folder, whole_way):
    """A limit on the size of files stands in: writing fails where it is reached, in the graph."""
    limit = (whole_way.run / "model.keras").stat().st_size + 1000  # less than the graph's size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(RecipeError, match="Nothing was exported"):
            again()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert left_behind(folder) == []


def test_errors_of_tensorflow(again, folder, monkeypatch):
    """A full disk is told from other errors by the system's words."""
    import tensorflow as tf

    def failing(kind, message):
        def write(*_, **__):
            raise kind(None, None, message)

        monkeypatch.setattr(signatures, "write", write)

    failing(tf.errors.InvalidArgumentError, "shapes do not fit")
    with pytest.raises(tf.errors.InvalidArgumentError, match="shapes do not fit"):
        again()
    failing(tf.errors.ResourceExhaustedError, "a.data; No space left on device")
    with pytest.raises(RecipeError) as error:
        again()
    assert str(error.value) == (
        "Nothing was exported to saved_models/tiny. Cannot write a file: No space left on device."
    )
    assert left_behind(folder) == []


def test_a_saved_model_that_does_not_run(again, folder, monkeypatch):
    def broken(model, task, info, path, *_):
        path.mkdir()
        (path / "saved_model.pb").write_bytes(b"not a graph")
        return {"serving_default": []}

    monkeypatch.setattr(signatures, "write", broken)
    with pytest.raises(RecipeError, match="does not run in TensorFlow without Keras"):
        again()
    assert left_behind(folder) == []


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


def test_tensorflow_exports_by_the_recipes_script(program, folder):
    assert program.chosen.script == program.__file__
    assert tiny.recipe.script == tiny.__file__  # which another program runs
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
