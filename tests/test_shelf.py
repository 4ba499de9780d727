"""Recipes from pip: listed, run and copied by the command `kcatalog`."""

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kcatalog import cli, shelf

ROOT = Path(__file__).parents[1]


def kcatalog(*arguments, folder, **environment):
    """Run the command line in a process of its own, as a user does who has no checkout."""
    return subprocess.run(
        [sys.executable, "-m", "kcatalog", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_wheel_has_every_recipe_and_their_scores():
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    included = build["targets"]["wheel"]["force-include"]
    places = {ROOT / "kcatalog" / Path(to).relative_to("kcatalog"): ROOT / at
              for at, to in included.items()}  # fmt: skip
    assert places[shelf.FOLDERS[0]] == ROOT / "recipes"
    assert places[shelf.SCORES[0]] == shelf.SCORES[1]
    assert all(path.exists() for path in places.values())


def test_each_recipe_says_what_it_is_for_and_what_data_it_takes():
    shown = " ".join(CliRunner().invoke(cli.app, ["recipes"]).output.split())
    for recipe in shelf.recipes():
        assert recipe.summary.endswith(".")
        assert recipe.data.startswith("By default it ")
        assert "`--data` takes" in recipe.data
        assert recipe.name in shown
        assert recipe.summary in shown
    assert {r.name for r in shelf.recipes()} == {f.stem for f in (ROOT / "recipes").glob("*.py")}


def test_a_score_stands_beside_its_baseline():
    row = {"measure": "accuracy", "scores": [0.9, 0.7, 0.8], "minutes": 1.25}
    row |= {"baseline": 0.75, "baseline_name": "a tree"}
    recipe = shelf.Shipped(Path("some.py"), row)
    assert recipe.result == "accuracy 0.8 (baseline 0.75, a tree); 1.2 processor minutes"
    assert shelf.Shipped(Path("some.py")).result == ""


def test_a_copy_is_the_script_with_its_own_name_and_is_never_written_over(tmp_path):
    file = tmp_path / "mine.py"
    done = CliRunner().invoke(cli.app, ["copy", "image_cnn", str(file)])
    assert done.exit_code == 0
    ours = (ROOT / "recipes" / "image_cnn.py").read_text()
    assert file.read_text() == ours.replace("python recipes/image_cnn.py", "python mine.py")
    assert "python mine.py --data" in ast.get_docstring(ast.parse(file.read_text()))
    assert shelf.copy(shelf.find("text_gru"), tmp_path) == tmp_path / "text_gru.py"
    file.write_text("edited")
    for target, message in ((file, "exists already"), (tmp_path / "no" / "a.py", "no folder")):
        refused = CliRunner().invoke(cli.app, ["copy", "image_cnn", str(target)])
        assert message in str(refused.exception)
    assert file.read_text() == "edited"


def test_an_unknown_recipe_names_the_closest():
    with pytest.raises(LookupError, match="Did you mean 'image_cnn'"):
        shelf.find("image_cn")


@pytest.mark.slow
def test_help_of_a_recipe_speaks_of_the_command_that_was_typed(tmp_path):
    done = kcatalog("run", "text_gru", "--help", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: kcatalog run text_gru [OPTIONS]")
    assert "kcatalog run text_gru predict beginning.txt --length 500" in done.stdout
    assert "recipes/" not in done.stdout
    of_command = kcatalog("run", "--help", folder=tmp_path)
    assert "`kcatalog recipes` lists the recipes" in of_command.stdout


@pytest.mark.slow
def test_run_trains_as_the_script_does_with_trials_in_processes_of_their_own(tmp_path):
    folder = tmp_path / "run"
    options = ("tune", "--trial-epochs", 1, "--isolate", "--run-dir", folder)
    for more in (["--trials", 1], ["--trials", 2, "--resume"]):
        done = kcatalog("run", "tabular_mlp", *options, *more, folder=tmp_path)
        assert done.returncode == 0, done.stderr
    assert 'command = "kcatalog run tabular_mlp tune' in (folder / "run.toml").read_text()
    assert len(list((folder / "tuning").glob("trial_*"))) == 2
