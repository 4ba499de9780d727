"""Options: what is written once on a field reaches the command line, the run and `--resume`."""

import dataclasses
from pathlib import Path

import pytest

from kcatalog.recipe.commands import cli, start
from kcatalog.recipe.commands.options import (
    COMMANDS,
    STORED,
    Options,
    arguments,
    fields,
    initial,
)
from kcatalog.recipe.commands.steps import Steps
from kcatalog.recipe.files.rundir import Run
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


def test_a_run_of_an_earlier_version_has_the_defaults_of_newer_options(run):
    older = {
        k: v for k, v in run.facts["settings"].items() if k not in ("folds", "keep", "isolate")
    }
    Run(run.path, run.facts).write("run.json", {**run.facts, "settings": older})
    assert reopened(run) == run.facts["settings"]
    with pytest.raises(RecipeError, match="--folds 1"):
        reopened(run, folds=3)
