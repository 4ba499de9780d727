"""A run keeps its split although its folder changes, and scores a changed test part anew."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from PIL import Image

from kcatalog.recipe.commands import start
from kcatalog.recipe.commands.options import Options
from kcatalog.recipe.data import Images, recorded
from kcatalog.recipe.files import rundir
from kcatalog.recipe.terminal.errors import RecipeError
from tests.recipe import tiny


def build(hp, data):
    """A dense layer on all pixels."""
    inputs = keras.Input(data.input_shape, name=data.input_name)
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(len(data.classes))(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, metrics=["accuracy"])
    return model


recipe = dataclasses.replace(tiny.recipe, source=Images(size=8), build=build)


def draw(path, seed):
    path.parent.mkdir(exist_ok=True, parents=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (8, 8, 3)).astype("uint8")
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path):
    """Two classes of eight pictures each."""
    for seed in range(16):
        draw(tmp_path / "pictures" / ("cat", "dog")[seed % 2] / f"{seed}.png", seed)
    return tmp_path / "pictures"


@pytest.fixture
def run(folder, tmp_path):
    """A new run with scores of its test part."""
    with start.begin(recipe, Options(data=str(folder), run_dir=tmp_path / "run")) as (run, _):
        run.write("metrics.json", {"test": 0.5})
        run.samples.touch()
    return run


def file(folder, run, part):
    """The first file of a part."""
    return folder / next(iter(json.loads((run.path / "split.json").read_text())[part]))


def reopen(run):
    """Resume a run. Return it, its data, and what was said."""
    said = []
    with start.resume(recipe, Options(), rundir.find("tiny", run.path), said.append) as opened:
        return *opened, said


def names(data, part):
    return [getattr(data, part)[0].shelf.paths[p].name for p in getattr(data, part)[0].places]


def test_an_unchanged_folder_is_resumed_without_a_word(run):
    _, data, said = reopen(run)
    assert not said
    assert data.fingerprint == run.facts["data"]["fingerprint"]
    assert run.samples.exists()


@pytest.mark.parametrize("change", ["removed", "redrawn"])
def test_a_changed_test_part_is_scored_anew_and_named(folder, run, change):
    path = file(folder, run, "test")
    path.unlink() if change == "removed" else draw(path, seed=99)
    resumed, data, (said,) = reopen(run)
    assert path.relative_to(folder).as_posix() in said
    assert "has changed since the run began" in said
    assert "Its scores are computed anew" in said
    assert not run.samples.exists()
    assert resumed.read("metrics.json") is None
    assert (path.name in names(data, "test")) == (change == "redrawn")
    stored = rundir.find("tiny", run.path).facts
    assert stored["data"]["fingerprint"] == data.fingerprint
    assert stored["findings"][-1]["about"] == "test part"
    assert stored["findings"][-1]["warning"]
    _, same, said = reopen(run)
    assert not said
    assert same.fingerprint == data.fingerprint
    assert rundir.find("tiny", run.path).facts == stored


@pytest.mark.parametrize("part", ["train", "validation"])
@pytest.mark.parametrize("change", ["removed", "redrawn"])
def test_a_change_of_what_is_learned_from_is_refused_until_undone(folder, run, part, change):
    path = file(folder, run, part)
    content = path.read_bytes()
    path.unlink() if change == "removed" else draw(path, seed=99)
    with pytest.raises(RecipeError, match="learns from have changed or are gone") as refused:
        reopen(run)
    assert path.relative_to(folder).as_posix() in str(refused.value)
    path.write_bytes(content)
    assert reopen(run)[2] == []


def test_added_files_and_classes_are_named_and_left_out(folder, run):
    draw(folder / "cat" / "new.png", seed=50)
    for seed in range(60, 64):
        draw(folder / "bird" / f"{seed}.png", seed)  # the first class in alphabetical order
    _, data, (said,) = reopen(run)
    assert "5 files have been added" in said
    assert "cat/new.png" in said
    assert data.fingerprint == run.facts["data"]["fingerprint"]
    assert data.classes == ("cat", "dog")


def test_arrays_are_compared_by_part(tmp_path, monkeypatch):
    with start.begin(tiny.recipe, Options(run_dir=tmp_path / "run")) as (run, data):
        assert recorded.split_of(data, tmp_path) is None
    load = tiny.Clouds.load

    def changed(part):
        def change(source, name, seed):
            data = load(source, name, seed)
            x, y = getattr(data, part)
            return dataclasses.replace(data, **{part: (x + 1, y)})

        return change

    said = []
    with monkeypatch.context() as patch:
        patch.setattr(tiny.Clouds, "load", changed("test"))
        with start.resume(tiny.recipe, Options(), run, said.append):
            assert "The test part of clouds has changed" in said[0]
    with monkeypatch.context() as patch:
        patch.setattr(tiny.Clouds, "load", changed("validation"))
        with (
            pytest.raises(RecipeError, match="The data clouds have changed"),
            start.resume(tiny.recipe, Options(), run, said.append),
        ):
            pass
