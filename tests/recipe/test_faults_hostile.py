"""A file made to do harm is refused: nothing of it runs, and nothing is written elsewhere."""

import base64
import copy
import json
import marshal
import stat
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

import kcatalog
from kcatalog.recipe.commands import start
from kcatalog.recipe.commands.options import Options
from kcatalog.recipe.files import keras_file
from kcatalog.recipe.terminal.errors import RecipeError
from kcatalog.recipe.training import checkpoint, loss_switch
from tests.recipe import tiny


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """A saved model, as (name of an entry -> its content)."""
    file = tmp_path_factory.mktemp("honest") / "model.keras"
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="head")])
    keras_file.save(model, file)
    assert np.array_equal(keras_file.load(file).get_weights()[0], model.get_weights()[0])
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def plant(honest, tmp_path):
    """Write a `.keras` file with other content. Returns its path."""

    def plant(layer=None, more=()):
        content = dict(honest)
        if layer:
            config = json.loads(content["config.json"])
            config["config"]["layers"].append(layer)
            content["config.json"] = json.dumps(config)
        file = tmp_path / "run" / "model.keras"
        file.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(file, "w") as archive:
            for name, value, *compression in [*content.items(), *more]:
                archive.writestr(name, value, *compression)
        return file

    return plant


def layer(class_name, module="keras.layers", registered_name=None, **config):
    return {
        "module": module,
        "class_name": class_name,
        "registered_name": registered_name,
        "config": {"name": "planted", **config},
    }


def touching(file):
    """A lambda that makes a file, as Keras writes one: its code, marshalled."""
    source = f"lambda x: __import__('pathlib').Path({str(file)!r}).touch()"
    code = marshal.dumps(eval(source).__code__)  # noqa: S307
    value = [base64.encodebytes(code).decode(), None, None]
    return {"class_name": "__lambda__", "config": {"value": value}}


def refused(file, tmp_path):
    """Return the sentence with which it is refused, as it is and changed for the export."""
    before = sorted(tmp_path.rglob("*"))
    for change in (lambda config: config, None):
        with pytest.raises(RecipeError) as e:
            keras_file.load(file, change)
        assert sorted(tmp_path.rglob("*")) == before
    assert "\n" not in str(e.value)
    assert str(file) in str(e.value)
    return str(e.value)


def test_a_lambda(plant, tmp_path):
    harm = tmp_path / "harm"
    code = touching(harm)
    keras.saving.deserialize_keras_object(code, safe_mode=False)(1)
    assert harm.exists()  # so it would do harm
    harm.unlink()
    planted = layer("Lambda", function=code, arguments={}, output_shape=None)
    assert "lambda" in refused(plant(layer=planted), tmp_path).lower()


def hidden(code):
    """Our parts that hold other objects, with code in the place of one."""
    memory = kcatalog.layers.CrossBatchMemory(kcatalog.losses.TripletSemiHard(), capacity=8)
    switched = loss_switch.SwitchedLoss(
        kcatalog.losses.TripletSemiHard(), kcatalog.losses.TripletHard(), 1
    )
    chrono = kcatalog.initializers.Chrono(10, 4, seed=1)
    wrapper = kcatalog.optimizers.GradientCentralization("sgd")
    schedule = kcatalog.optimizers.schedules.WarmUp(0.1, 3)
    for part, argument in (
        (memory, "loss"),
        (switched, "first"),
        (chrono, "seed"),
        (wrapper, "inner"),
        (schedule, "learning_rate"),
    ):
        config = copy.deepcopy(keras.saving.serialize_keras_object(part))
        assert argument in config["config"]
        config["config"][argument] = code
        yield config


def test_code_inside_our_own_parts(tmp_path):
    """Keras's own deserialization, in safe mode, makes what they hold."""
    harm = tmp_path / "harm"
    function = {"module": "os", "class_name": "function", "config": "system"}
    foreign = {"module": "subprocess", "class_name": "Popen", "config": {"args": f"touch {harm}"}}
    for code in (touching(harm), function, foreign):
        for config in hidden({"registered_name": None, **code}):
            with pytest.raises((TypeError, ValueError)):
                keras.saving.deserialize_keras_object(config)
            assert not harm.exists()


@pytest.mark.parametrize(
    "planted",
    [
        layer("system", "os", command="touch harm"),
        layer("run", "kcatalog.recipe.commands.cli"),
        layer("Dense", "kcatalog.recipe.tuning", registered_name="kcatalog>_import"),
        layer("TFSMLayer", filepath="elsewhere"),
        layer("TorchModuleWrapper", module="gASVAAAA"),
        layer("StringLookup", vocabulary="/etc/passwd"),
    ],
    ids=lambda planted: planted["class_name"],
)
def test_a_class_that_is_no_part(plant, tmp_path, monkeypatch, planted):
    monkeypatch.chdir(tmp_path)
    refused(plant(layer=planted), tmp_path)


LINK = zipfile.ZipInfo("assets")
LINK.external_attr = (stat.S_IFLNK | 0o777) << 16


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (("/outside", b"harm"), "lies outside of it"),
        (("assets/../../outside", b"harm"), "lies outside of it"),
        (("a\\..\\b", b"harm"), "lies outside of it"),
        ((LINK, "/etc"), "is a link"),
        (("bomb", b" " * 10_000_000, zipfile.ZIP_DEFLATED), "is compressed"),
        (("config.json", b"{}"), "have the same name"),
    ],
)
def test_an_entry_that_keras_does_not_write(plant, tmp_path, entry, reason):
    assert reason in refused(plant(more=[entry]), tmp_path)


def test_a_bomb_of_overlapping_entries(plant, tmp_path):
    file = plant()
    content = bytearray(file.read_bytes())
    start = content.index(b"PK\x01\x02")  # the directory's first entry: sizes at 20 and 24
    content[start + 20 : start + 28] = (2**31).to_bytes(4, "little") * 2
    file.write_bytes(content)
    assert "larger than the file" in refused(file, tmp_path)


def test_a_checkpoint_with_code(tmp_path):
    class Harm:
        def __reduce__(self):
            return Path.touch, (tmp_path / "harm",)

    np.savez(tmp_path / "last.npz", a=np.array([Harm()], dtype=object), progress="{}")
    with pytest.raises(RecipeError, match="is damaged"):
        checkpoint.read(tmp_path / "last.npz")
    assert not (tmp_path / "harm").exists()


def test_planted_in_a_run(call, plant, tmp_path):
    """The command line refuses it with one sentence that says what to do."""
    with start.begin(tiny.recipe, Options(run_dir=tmp_path / "run")):
        harm = tmp_path / "harm"
        plant(layer=layer("Lambda", function=touching(harm), arguments={}, output_shape=None))
    for step in ("evaluate", "export"):
        done = call(step, "--run-dir", "run")
        assert done.code == 2
        assert len(done.err.strip().splitlines()) == 1
        assert done.err.startswith("Cannot load run/model.keras, because it is damaged or unsafe")
        assert "train --resume --run-dir run" in done.err
        assert not harm.exists()
    assert not (tmp_path / "saved_models").exists()
