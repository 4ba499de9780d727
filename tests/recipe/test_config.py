"""`run.toml`: what a run writes, another one starts from (`--config`)."""

import dataclasses
import tomllib

import numpy as np
import pytest

from kcatalog.recipe.commands import config, steps
from kcatalog.recipe.commands.steps import Steps
from kcatalog.recipe.files import keras_file, run_toml
from tests.recipe import tiny

FILE = """recipe = "tiny"
data_sha256 = "another"
[options]
seed = 7
trials = 9
epochs = 4
overrides = ["loss=SparseCategoricalCrossentropy"]
[hyperparameters]
units = 8
optimizer = "SGD"
"optimizer.SGD.learning_rate" = 0.03125
[versions]
python = "3.0"
"""


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "other" / "run.toml"
    file.parent.mkdir()
    file.write_text(FILE)
    return file


@pytest.mark.slow
def test_a_run_again_ends_in_the_same_weights(whole_way, call):
    """The first run has searched and trained in a process of its own."""
    again = call("train", "--config", whole_way.run / "run.toml")
    assert again.code == 0, again.err
    assert "weights may differ" not in again.out
    first, second = (run_toml.read(f / "run.toml") for f in (whole_way.run, again.run))
    assert first.pop("command").startswith("tiny.py")
    second.pop("command")
    assert second == first
    assert first["hyperparameters"].keys() >= {"units", "optimizer", "dropout.rate"}
    assert first["versions"].keys() >= {"python", "kcatalog", "keras"}
    first, second = (keras_file.load(f / "model.keras") for f in (whole_way.run, again.run))
    for w, v in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(w, v)


def test_the_whole_way_from_a_file_searches_nothing_and_tune_does(call, file, monkeypatch):
    done = []
    for name in ("_tune", "_train", "_evaluate"):
        monkeypatch.setattr(
            Steps, name, lambda self, run, *_, name=name: done.append((name, run.hyperparameters))
        )
    monkeypatch.setattr(steps, "export_run", lambda *_: None)
    whole = call("--config", file, "--set", "units=4")
    assert whole.code == 0, whole.err
    assert (
        f"{file} was written with other versions, so weights may differ: python 3.0 (" in whole.out
    )
    assert f"The data are not those that {file} was written for" in whole.out
    drawn = done[0][1]
    assert drawn["units"] == 4  # the command line's
    assert drawn["optimizer.SGD.learning_rate"] == 0.03125
    assert not any(name.startswith("optimizer.Adam") for name in drawn)
    assert call("tune", f"--config={file}").code == 0
    assert [name for name, _ in done] == ["_train", "_evaluate", "_tune"]
    assert done[-1][1] is None
    written = run_toml.read(whole.run.with_name("2") / "run.toml")["options"]
    assert (written["seed"], written["trials"], written["epochs"]) == (7, 9, 4)


def test_print_config(call, file):
    typed = ("--epochs", "5", "--run-dir", "new")
    done = call("train", "--config", file, *typed, "--print-config")
    assert (done.code, done.err) == (0, "")
    printed = tomllib.loads(done.out)
    assert printed["options"]["epochs"] == 5
    assert printed["options"]["seed"] == 7
    assert printed["hyperparameters"]["units"] == 8
    assert "hyperparameters" not in tomllib.loads(call("--print-config").out)
    assert [f.name for f in file.parents[1].iterdir()] == ["other"]


@pytest.mark.parametrize(
    ("was", "now", "sentence"),
    [
        ('recipe = "tiny"', 'recipe = "huge"', "is of the recipe huge, and this is tiny. Run huge"),
        ("seed = 7", "sede = 7", "has an unknown key 'sede'. Did you mean 'seed'?"),
        ("[versions]", "[version]", "has an unknown key 'version'. Did you mean 'versions'?"),
        ("seed = 7", "seed = [7]", "seed must be one value. Received: [7]."),
        ("seed = 7", 'seed = "x"', "Invalid value for '--seed'"),
        ("seed = 7", "seed = ", "is damaged: "),
        ("units = 8", "units = 5", "--config: units must be one of 4, 8. Received: '5'."),
        ("units = 8", "unit = 8", "--config: unit: no such hyperparameter. Did you mean 'units'?"),
    ],
)
def test_a_wrong_file_is_one_sentence(call, file, was, now, sentence):
    file.write_text(FILE.replace(was, now))
    done = call("train", "--config", file)
    assert done.code == 2
    assert sentence in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert [f.name for f in file.parents[1].iterdir()] == ["other"]


def test_config_begins_a_new_run(call, file):
    done = call("train", "--config", file, "--resume")
    assert done.err == "--config starts a new run. Leave out --config or --resume.\n"
    assert call("train", "--config", file, "--print-config").code == 0
    assert "nowhere.toml is damaged: " in call("train", "--config", "nowhere.toml").err


def test_text_holds_any_value():
    facts = {
        "recipe": 'a "b" \\ü\n',
        "settings": {"data": None, "epochs": 3, "overrides": ["x=1e-5"]},
    }
    read = run_toml.facts_of(tomllib.loads(run_toml.text(facts)))
    assert read == {**facts, "settings": {"epochs": 3, "overrides": ["x=1e-5"]}}


def test_the_same_versions_and_data_are_no_news():
    facts = {"versions": config.versions(), "began": "a"}
    assert list(config.changes("run.toml", {**facts, "data_sha256": "a"}, facts)) == []


def test_a_recipe_of_another_name(call, file):
    other = dataclasses.replace(tiny.recipe, name="other")
    assert "is of the recipe tiny, and this is other." in call("--config", file, recipe=other).err


def test_a_file_can_be_answered_with_an_option_that_is_off(call, file):
    file.write_text(FILE.replace("seed = 7", "isolate = true"))
    printed = call("tune", "--config", file, "--print-config").out
    assert tomllib.loads(printed)["options"]["isolate"] is True
    printed = call("tune", "--config", file, "--no-isolate", "--print-config").out
    assert tomllib.loads(printed)["options"].get("isolate", False) is False


@pytest.mark.parametrize("typed", [("--trials", "3"), ("--folds=2",)])
def test_options_of_a_search_that_does_not_take_place(call, file, typed):
    done = call("--config", file, *typed)
    assert done.err.startswith(f"Leave out {typed[0]}: {file} has hyperparameters, so there is no ")
    assert call("tune", "--config", file, *typed, "--print-config").code == 0
    file.write_text(FILE.split("[hyperparameters]")[0])
    assert call("--config", file, *typed, "--print-config").code == 0


def test_the_config_of_a_run_to_resume_needs_one(call):
    done = call("train", "--print-config", "--resume")
    assert (done.code, done.out) == (2, "")
    assert done.err == "There is no run of tiny to resume. Leave out --resume to start one.\n"
