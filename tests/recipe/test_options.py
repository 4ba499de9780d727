"""Options: what is written once on a field reaches the command line, the run and `--resume`."""

import dataclasses
import inspect
from pathlib import Path

import pytest

from kcatalog.recipe.commands import cli, start
from kcatalog.recipe.commands.options import (
    COMMANDS,
    STORED,
    Options,
    fields,
    initial,
)
from kcatalog.recipe.commands.steps import Steps
from kcatalog.recipe.commands.words import arguments
from kcatalog.recipe.data import Images, Labelled, Masks, Option, Series, Speech, Tables, Text
from kcatalog.recipe.export import loading
from kcatalog.recipe.files.rundir import write_json
from kcatalog.recipe.terminal.errors import RecipeError
from tests.recipe import tiny

GIVEN = Options(
    data="clouds", seed=3, overrides=["units=8", "optimizer=SGD"], trials=4, isolate=True,
    trial_memory=2.5, cache_memory=0.0, keep=0, run_dir=Path("runs/a b"), debug=True,
)  # fmt: skip


def test_arguments_are_read_as_the_options_they_were_made_from(monkeypatch):
    read = []
    monkeypatch.setattr(Steps, "tune", lambda steps: read.append(steps.options))
    for options in (GIVEN, Options()):
        assert cli.run(tiny.recipe, ["tune", *arguments(options, "tune")]) == 0
    assert read == [GIVEN, Options()]


def test_every_option_of_a_command_is_known_to_the_steps():
    known = {f.name: f.default for f in dataclasses.fields(Options)}
    for command in COMMANDS.keys() - {"predict", "serve"}:
        assert {f.name: f.default for f in fields(command)}.items() <= known.items()
    assert all(len(f.metadata["help"]) < 70 for command in COMMANDS for f in fields(command))


@pytest.fixture
def run(tmp_path):
    with start.begin(tiny.recipe, Options(run_dir=tmp_path / "run", seed=3)) as (run, _):
        return run


def reopened(run, **given):
    with start.resume(tiny.recipe, Options(**given), run) as (run, _):
        return run.facts["settings"]


def test_a_new_run_stores_what_was_given_and_the_defaults(run):
    assert run.facts["settings"] == {**initial(tiny.recipe), "seed": 3}
    assert run.facts["settings"].keys() == STORED.keys()
    assert run.facts["settings"]["epochs"] == tiny.recipe.epochs


@pytest.mark.parametrize(
    ("progress", "refused"),
    [
        (None, {"seed", "precision"}),
        ("checkpoints", {"seed", "precision", "trials"}),
        ("model.keras", {"seed", "precision", "trials", "epochs"}),
    ],
)
def test_what_a_resumed_run_may_change(run, progress, refused):
    if progress:
        run.checkpoints.mkdir()
    if progress == "model.keras":
        run.model.touch()
    changed = {"seed": 4, "precision": "mixed_bfloat16", "trials": 9, "epochs": 9, "keep": 9}
    for name, value in changed.items():
        if name in refused:
            with pytest.raises(
                RecipeError, match=f"--{name} .*, which cannot be changed to {value}"
            ):
                reopened(run, **{name: value})
        else:
            assert reopened(run, **{name: value})[name] == value


# --- options of the source ----------------------------------------------------------------


class Moved(tiny.Clouds):
    """The clouds, moved to the right by as much as the command line says."""

    options = {
        "shift": Option(float, "How far the points are moved.", min=0),
        "size": Option(int, "Edge of your pictures.", files="image"),
    }

    def __init__(self, shift=0.0, size=8):
        self.shift, self.size = shift, size

    def _clouds(self, seed):
        data = super()._clouds(seed)
        x, y = data.train
        return dataclasses.replace(data, train=(x + self.shift, y))


MOVED = dataclasses.replace(tiny.recipe, source=Moved())
SOURCES = [Images(), Masks(), Speech(), Series(), Text(), Tables(), Moved()]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: type(source).__name__)
def test_options_of_a_source_are_arguments_of_its_constructor(source):
    assert source.options.keys() <= inspect.signature(type(source)).parameters.keys()
    assert all(len(option.help) < 70 for option in source.options.values())
    assert source.configured({"epochs": 3}) is source
    before = dict(vars(source))
    for name, option in source.options.items():
        value = "b" if option.type is str else 3
        assert source.configured({name: value}).settings() == {**source.settings(), name: value}
    assert vars(source) == before


def test_a_source_of_others_has_their_options():
    source = Labelled(Images(), Speech()).configured({"size": 24, "seconds": 2.0})
    assert source.settings() == {"size": 24, "channels": 3, "rate": 16_000, "seconds": 2.0}


def test_options_of_a_source_are_stored_and_used_again(tmp_path):
    options = Options.of(run_dir=tmp_path / "run", shift=2.5)
    with start.begin(MOVED, options) as (run, data):
        assert run.facts["settings"]["shift"] == 2.5
        assert data.train[0].mean() > 2
    with start.resume(MOVED, Options(), run) as (_, again):
        assert again.fingerprint == data.fingerprint
    with start.resume(MOVED, Options.of(shift=2.5), run):
        pass
    refused = r"started with --shift 2\.5, which cannot be changed to 0\.0"
    with pytest.raises(RecipeError, match=refused), start.resume(MOVED, Options.of(shift=0.0), run):
        pass


def test_predict_reads_files_with_the_options_of_the_training(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    version = tmp_path / "saved_models" / "tiny" / "1"
    version.mkdir(parents=True)
    manifest = {"data": tiny.info().to_record(), "settings": {"shift": 2.5, "epochs": 3}}
    write_json(version / "manifest.json", manifest)
    assert loading.find(MOVED).recipe.source.shift == 2.5


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--shift", "-1"], "Invalid value for '--shift'"),
        (["--shfit", "1"], "--shift"),
        (["--size", "9"], "--size is for files that become the model's input 'image'. clouds"),
    ],
)
def test_wrong_options_of_a_source(call, arguments, sentence):
    done = call("train", *arguments, recipe=MOVED)
    assert (done.code, sentence in done.err) == (2, True), done.err
    assert list(done.folder.iterdir()) == []
    assert "--shift N" in call("train", "--help", recipe=MOVED).out
    assert "--shift" not in call("evaluate", "--help", recipe=MOVED).out


def test_a_source_cannot_take_the_name_of_an_option_of_every_recipe(call, monkeypatch):
    monkeypatch.setattr(Moved, "options", {"seed": Option(int, "Another seed.")})
    done = call("train", recipe=MOVED)
    assert "Moved: `options` must have other names than the options of every recipe" in done.err
