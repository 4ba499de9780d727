"""Wrong input gets one sentence, exit code 2, and nothing half-written."""

import dataclasses
import os
import subprocess
import sys

import pytest

from kcatalog.recipe.commands import early_help
from kcatalog.recipe.data import Images
from kcatalog.recipe.files import run_toml
from tests.recipe import tiny
from tests.recipe.conftest import ROOT

OTHER = dataclasses.replace(tiny.recipe, name="other")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train", "--epoch", "3"], "No such option: --epoch"),
        (["trian"], "No such command 'trian'. Did you mean 'train'?"),
        (["train", "--epochs", "0"], "Invalid value for '--epochs'"),
        (["train", "--precision", "float61"], "Invalid value for '--precision'"),
        (["train", "--set", "units"], "--set must be name=value. Received: 'units'."),
        (["train", "--set", "unit=4"], "no such hyperparameter. Did you mean 'units'?"),
        (["train", "--set", "units=5"], "--set units must be one of 4, 8. Received: '5'."),
        (["train", "--set", "dropout.rate=much"], "must be a number. Received: 'much'."),
        (["train", "--set", "dropout.rate=2"], "the model cannot be built so."),
        (["train", "--devices", "tpu:8"], "asks for 8 TPUs"),
        (["train", "--devices", "gpus"], "Did you mean 'gpu'?"),
        (["predict", "x.txt"], "There is no exported tiny yet. Run `export` first."),
        (["predict"], "Missing argument"),
    ],
)
def test_wrong_input(call, arguments, sentence):
    done = call(*arguments)
    assert done.code == 2
    assert sentence in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert list(done.folder.iterdir()) == []


def test_debug_shows_the_traceback(call):
    with pytest.raises(Exception, match="no such hyperparameter"):
        call("train", "--set", "unit=4", "--debug")


def test_an_unforeseen_error_is_a_sentence_too(call):
    def broken(hp, data):
        raise RuntimeError("a bug\nwith a long story")

    done = call("train", recipe=dataclasses.replace(tiny.recipe, build=broken))
    assert done.code == 1
    assert done.err == "RuntimeError: a bug (--debug shows the traceback)\n"


def test_help_names_each_step_and_keeps_the_lines_of_examples(call, monkeypatch):
    monkeypatch.setattr(tiny, "__doc__", "About.\n\nFor example:\n\n    one\n    another\n")
    done = call("--help")
    assert done.code == 0
    assert "For example:\n\n      one\n      another\n" in done.out
    for step in ("tune", "train", "evaluate", "export", "predict", "serve"):
        assert f"\n  {step} " in done.out
    assert "\n  trial " not in done.out
    assert "--set" in call("train", "--help").out


SCRIPT = '''"""About."""
import keras
from kcatalog.recipe import Recipe
from kcatalog.recipe.data import Images
source = Images(size=32)
def build(hp, data): ...
mine = Recipe("mine", source, build, None)
if __name__ == "__main__":
    mine.main()
'''
OTHERWISE = {
    "another main": ("mine.main()", "print(mine.name)"),
    "reads the command line": ("import keras", "import keras, argparse"),
    "builds elsewhere": ("def build(hp, data): ...", "from other import build"),
    "computes the source": ("size=32", "size=2 * EDGE"),
    "has a source of its own": ("Images(", "Mine("),
    "no Python": ("import keras", "import"),
}


def test_help_of_a_script_that_only_runs_a_recipe_is_known_without_running_it(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(SCRIPT)
    about, source = early_help.read(file)
    assert (about, type(source), source.size) == ("About.", Images, 32)
    for words in OTHERWISE.values():
        file.write_text(SCRIPT.replace(*words))
        assert early_help.read(file) is None, words
    recipes = sorted((ROOT / "recipes").glob("*.py"))
    assert all(early_help.read(script) for script in recipes)


def test_help_is_there_before_keras_is_imported(tmp_path):
    (tmp_path / "keras.py").write_text("raise ImportError('it takes seconds')")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    asked = [(recipe, ["--help"], "--watch") for recipe in sorted((ROOT / "recipes").glob("*.py"))]
    asked += [(ROOT / "recipes" / "text_gru.py", ["predict", "--help"], "--length")]
    for recipe, arguments, expected in asked:
        done = subprocess.run(
            [sys.executable, recipe, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert expected in done.stdout


@pytest.mark.slow
def test_neither_a_new_run_nor_another_recipe_touches_an_old_run(call):
    def content():
        return {f: f.read_bytes() for f in first.run.rglob("*") if f.is_file()}

    first = call("train", "--epochs", "1")
    before = content()
    assert "in runs/tiny/2" in call("train", "--epochs", "1", "--seed", "1").out
    for step in (["train", "--resume"], ["evaluate"], ["export"]):
        done = call(*step, "--run-dir", "runs/tiny/1", recipe=OTHER)
        assert done.code == 2
        assert "runs/tiny/1 holds a run of tiny, not of other." in done.err
    refused = call("train", "--run-dir", "runs/tiny/1")
    assert refused.code == 2
    assert "is not an empty directory" in refused.err
    assert "already trained" in call("train", "--resume", "--run-dir", "runs/tiny/1").err
    assert content() == before


@pytest.mark.parametrize("step", [(), ("tune",), ("train",)])
def test_a_path_that_cannot_be_a_run_directory(call, tmp_path, step):
    class Unread(tiny.Clouds):
        def load(self, name, seed):
            raise AssertionError("data were loaded")

    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    recipe = dataclasses.replace(tiny.recipe, source=Unread())
    for path in ("photos", "photos/cat.jpg"):
        done = call(*step, "--run-dir", path, recipe=recipe)
        assert done.code == 2
        assert len(done.err.strip().splitlines()) == 1
        assert f"{path} is not " in done.err
        assert "directory" in done.err
    assert [f.name for f in tmp_path.rglob("*")] == ["photos", "cat.jpg"]


@pytest.mark.parametrize(
    ("name", "text"),
    [("record.json", "{"), ("record.json", "[]"), ("run.toml", "[options"), ("run.toml", "a = 1"),
     ("run.toml", 'recipe = "tiny"\noptions = 1')],
)  # fmt: skip
def test_a_damaged_file_of_a_run(call, name, text):
    folder = call("--help").folder / "broken"
    folder.mkdir()
    for file, content in {"run.toml": "", "record.json": "{}", name: text}.items():
        (folder / file).write_text(content)
    done = call("train", "--resume", "--run-dir", "broken")
    assert done.code == 2
    assert f"broken/{name} is damaged" in done.err
    assert {f.name for f in folder.iterdir()} == {"run.toml", "record.json"}


@pytest.mark.slow
def test_set_overrides_hyperparameters(call):
    chosen = ("--set", "units=8", "--set", "optimizer=sgd")
    done = call("train", "--epochs", "1", *chosen, "--set", "optimizer.SGD.learning_rate=0.5")
    assert done.code == 0, done.err
    assert run_toml.read(done.run / "run.toml")["hyperparameters"] == {
        "dropout.rate": 0.2,
        "loss": "SparseCategoricalCrossentropy",
        "optimizer": "SGD",
        "optimizer.SGD.learning_rate": 0.5,  # beyond the card's range: the user's word counts
        "optimizer.SGD.momentum": 0.0,
        "optimizer.SGD.nesterov": False,
        "units": 8,
    }


@pytest.mark.slow
def test_what_a_run_began_with_stays(call, monkeypatch):
    call("tune", "--trials", "1", "--trial-epochs", "1", "--seed", "3")
    refused = call("train", "--seed", "4")
    assert refused.code == 2
    assert "runs/tiny/1 was started with --seed 3, which cannot be changed to 4 now." in refused.err
    monkeypatch.setenv("TINY_SHIFT", "1")
    moved = call("train")
    assert moved.code == 2
    assert "The data clouds have changed since runs/tiny/1 was started." in moved.err
    monkeypatch.delenv("TINY_SHIFT")
    trained = call("train", "--epochs", "1")
    assert trained.code == 0, trained.err
    assert "in runs/tiny/1" in trained.out  # with what was tuned there
    assert call("evaluate").code == 0
    late = call("--resume", "--epochs", "2")
    assert late.code == 2
    assert "runs/tiny/1 was started with --epochs 1, which cannot be changed to 2 now." in late.err
