"""Models that Keras 2 and TensorFlow Addons have written, rebuilt for Keras 3."""

import io
import json
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from typer.testing import CliRunner

from kcatalog import cli
from kcatalog.migrate.models.error import ModelError
from kcatalog.migrate.models.migrate import migrate_model

FILES = zipfile.ZipFile(Path(__file__).parents[2] / "golden" / "tfa_models.zip")
ARRAYS = sorted(n[:-4] for n in FILES.namelist() if n.endswith(".npz"))
OPTIMIZERS = [n for n in ARRAYS if n.startswith("optimizer_")]
LAYERS = [n for n in ARRAYS if not n.startswith(("optimizer_", "compiled_"))]


def arrays(name):
    return dict(np.load(io.BytesIO(FILES.read(f"{name}.npz"))))


def numbered(stored, letter):
    return {k: v for k, v in stored.items() if k[0] == letter and k[1:].isdigit()}


@pytest.fixture
def migrated(tmp_path):
    """Migrates one of the stored files, its predictions compared; (report, new file)."""
    keras.utils.clear_session(free_memory=False)  # collecting garbage would take longer than all

    def migrate(name, ending, tolerance=1e-5, **more):
        stored = arrays(name)
        np.savez(tmp_path / "x.npz", **numbered(stored, "x"))
        np.savez(tmp_path / "y.npz", **numbered(stored, "y"))
        new = tmp_path / "new.keras"
        old = FILES.extract(name + ending, tmp_path)
        samples = {"samples": tmp_path / "x.npz", "expected": tmp_path / "y.npz"}
        return migrate_model(Path(old), new, tolerance=tolerance, **samples, **more), new

    return migrate


def loaded(new):
    """Return a migrated model that trains step by step, which needs no compilation."""
    model = keras.saving.load_model(new)
    model.run_eagerly = True
    return model


# Both formats of three models; of the others one, in turns.
BOTH = ("nested", "recurrent", "weight_normalization")
FORMATS = [(n, e) for n in BOTH for e in (".h5", ".keras")]
FORMATS += [(n, (".h5", ".keras")[i % 2]) for i, n in enumerate(LAYERS) if n not in BOTH]


@pytest.mark.parametrize(("name", "ending"), FORMATS)
def test_layers_predict_as_before(migrated, name, ending):
    report, new = migrated(name, ending)
    assert report.difference <= 1e-5
    assert new.is_file()


def test_a_loaded_model_predicts_as_before(migrated):
    _, new = migrated("weight_normalization", ".h5")
    stored = arrays("weight_normalization")
    model = keras.saving.load_model(new)
    np.testing.assert_allclose(model(stored["x0"]), stored["y0"], atol=1e-5)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_continues_as_in_addons(migrated, name):
    """Three more steps: RectifiedAdam of Addons computes its factor in float32, hence 2e-5."""
    _, new = migrated(name, ".h5")
    stored, model = arrays(name), loaded(new)
    losses = [float(model.train_on_batch(stored["x0"], stored["target"])) for _ in range(3)]
    np.testing.assert_allclose(losses[:2], stored["losses"][:2], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(model(stored["x0"]), stored["after"], atol=2e-5)


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_the_state_of_keras_optimizers_is_numbered(migrated, name):
    _, new = migrated(f"optimizer_{name}", ".keras")
    stored, model = arrays(f"optimizer_{name}"), loaded(new)
    for _ in range(3):
        model.train_on_batch(stored["x0"], stored["target"])
    np.testing.assert_allclose(model(stored["x0"]), stored["after"], atol=1e-5)


def test_an_optimizer_without_state_starts_anew(migrated):
    report, new = migrated("optimizer_lookahead", ".keras")
    assert any("starts anew" in note for note in report.notes)
    assert type(keras.saving.load_model(new).optimizer).__name__ == "Lookahead"


@pytest.mark.parametrize("ending", [".h5", ".keras"])
def test_losses_and_metrics(migrated, ending):
    report, new = migrated("compiled_focal", ending)
    stored, model = arrays("compiled_focal"), loaded(new)
    results = model.evaluate(stored["x0"], stored["target"], batch_size=8, verbose=0)
    np.testing.assert_allclose(3 * results[0], stored["results"][0], rtol=1e-5)  # of 3 labels
    np.testing.assert_allclose(results[1:], stored["results"][1:], rtol=1e-5)
    assert any("mean over the labels" in note for note in report.notes)
    _, new = migrated("compiled_triplet", ending)
    stored, model = arrays("compiled_triplet"), loaded(new)
    loss = model.evaluate(stored["x0"], stored["target"], batch_size=8, verbose=0)
    np.testing.assert_allclose(loss, stored["results"][0], rtol=1e-5)


@pytest.mark.parametrize("ending", ["_weights.h5", ".weights.h5"])
def test_weights_with_the_models_json(migrated, tmp_path, ending):
    config = Path(FILES.extract("nested.json", tmp_path))
    assert migrated("nested", ending, config=config)[0].difference <= 1e-5


@pytest.mark.parametrize("ending", ["_weights.h5", ".weights.h5"])
def test_weights_into_a_new_model(migrated, tmp_path, ending):
    _, new = migrated("nested", ".h5")
    model = keras.saving.load_model(new)
    model.set_weights([0 * w for w in model.get_weights()])
    model.save(tmp_path / "into.keras")
    assert migrated("nested", ending, into=tmp_path / "into.keras")[0].difference <= 1e-5


def test_frozen_layers_stay_frozen(migrated):
    report, _ = migrated("frozen", ".h5")
    names = {w.path.split("/")[0] for w in report.model.trainable_weights}
    assert names == {"dense", "batch_normalization_1", "dense_1"}


def test_other_predictions_write_nothing(migrated):
    report, new = migrated("plain", ".h5", tolerance=-1.0)
    assert report.differs
    assert not new.exists()


def changed(tmp_path, name, change):
    """Return a stored .h5 file whose config was changed."""
    file = Path(FILES.extract(f"{name}.h5", tmp_path))
    with h5py.File(file, "r+") as h5:
        config = json.loads(h5.attrs["model_config"])
        change(config, h5)
        h5.attrs["model_config"] = json.dumps(config)
    return file


def as_class(config, h5):
    config["class_name"], config["config"] = "MyModel", {}


def as_lambda(config, h5):
    config["config"]["layers"][1] |= {"class_name": "Lambda"}


def as_unknown_layer(config, h5):
    config["config"]["layers"][1] |= {"class_name": "mine>Gate"}


def as_unknown_call(config, h5):
    layer = config["config"]["layers"][1]
    layer |= {"class_name": "TFOpLambda"}
    layer["config"] = {"name": "tf.signal.fft", "function": "signal.fft"}


def as_time_major(config, h5):
    config["config"]["layers"][-1]["config"]["time_major"] = True


def without_a_weight(config, h5):
    layer = h5["model_weights/head"]
    layer.attrs["weight_names"] = layer.attrs["weight_names"][:1]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("optimizer_adam", as_class, "whose code the file does not hold"),
        ("optimizer_adam", as_lambda, "Lambda 'hidden' holds Python code"),
        ("optimizer_adam", as_unknown_layer, "mine>Gate"),
        ("optimizer_adam", as_unknown_call, "calls tf.signal.fft"),
        ("plain", as_time_major, "time_major=True"),
        ("optimizer_adam", without_a_weight, "Dense 'head' has 2 weights; the file has 1"),
    ],
)
def test_what_has_no_counterpart_is_refused(tmp_path, name, change, message):
    file = changed(tmp_path, name, change)
    with pytest.raises(ModelError, match=message.replace("(", "[(]")):
        migrate_model(file, tmp_path / "new.keras")
    assert not (tmp_path / "new.keras").exists()


def test_an_unknown_loss_leaves_the_model_uncompiled(tmp_path):
    def own_loss(config, h5):
        training = json.loads(h5.attrs["training_config"])
        h5.attrs["training_config"] = json.dumps({**training, "loss": "my_loss"})

    report = migrate_model(changed(tmp_path, "optimizer_adam", own_loss), tmp_path / "new.keras")
    assert "'my_loss'" in report.notes[0]
    assert not report.model.compiled


def test_files_that_keras2_did_not_write(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.save(tmp_path / "new.keras")
    (tmp_path / "folder").mkdir()
    (tmp_path / "checkpoint").write_text("model_checkpoint_path")
    for name, message in (
        ("new.keras", "was written by Keras 3"),
        ("folder", "SavedModel"),
        ("checkpoint", "neither a .h5 nor a .keras file"),
        ("missing.h5", "No such file"),
    ):
        with pytest.raises(ModelError, match=message):
            migrate_model(tmp_path / name, tmp_path / "other.keras")


def test_the_command(tmp_path):
    old = FILES.extract("group_normalization.h5", tmp_path)
    stored, new = arrays("group_normalization"), str(tmp_path / "new.keras")
    np.save(tmp_path / "x.npy", stored["x0"])
    np.save(tmp_path / "y.npy", stored["y0"] + 1)
    compare = ["--samples", str(tmp_path / "x.npy"), "--expected", str(tmp_path / "y.npy")]
    result = CliRunner().invoke(cli.app, ["migrate-model", old, new, *compare])
    assert result.exit_code == 1
    assert "was not written" in " ".join(result.output.split())
    result = CliRunner().invoke(cli.app, ["migrate-model", old, new, *compare, "--tolerance", "2"])
    assert result.exit_code == 0
    assert f"Wrote {new}." in result.output.replace("\n", "")
    result = CliRunner().invoke(cli.app, ["migrate-model", old, new, *compare[:2]])
    assert isinstance(result.exception, cli.UsageError)
