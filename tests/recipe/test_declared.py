"""A recipe whose script has changed since its run began: named, and refused if it matters."""

import dataclasses

import pytest

from kcatalog.recipe.commands import declared, start
from kcatalog.recipe.commands.options import Options
from kcatalog.recipe.search import hyperparameters
from kcatalog.recipe.terminal.errors import RecipeError
from tests.recipe import tiny


def build(hp, data):
    """The tiny model with other units and a new rate, as if its script had been edited."""
    choice = hp.Choice
    hp.Choice = lambda name, values, **how: choice(
        name, [8, 16] if name == "units" else values, **how
    )
    try:
        model = tiny.build(hp, data)
    finally:
        del hp.Choice
    hp.Float("rate", 0.0, 0.5)
    return model


edited = dataclasses.replace(tiny.recipe, build=build)
CHANGES = (
    "units was [4, 8] when the run began, and is [8, 16] now; "
    "rate was not tuned when the run began, and is 0 to 0.5 now"
)


@pytest.fixture
def begun(tmp_path):
    with start.begin(tiny.recipe, Options(run_dir=tmp_path / "run")) as (run, data):
        return run, data


def space(recipe, data, values=None):
    return hyperparameters.space(lambda hp: recipe.build(hp, data), {}, values)


def test_a_search_goes_on_in_the_space_it_began_with_alone(begun):
    run, data = begun
    declared.check_search(edited, run, data, space(edited, data))  # no trial was made yet
    run.tuning.mkdir()
    declared.check_search(tiny.recipe, run, data, space(tiny.recipe, data))
    with pytest.raises(RecipeError) as refused:
        declared.check_search(edited, run, data, space(edited, data))
    assert str(refused.value).startswith(f"{CHANGES}. Trials before and after cannot be compared.")


@pytest.mark.parametrize("change", [{"batch_size": 8}, {"objective": "val_loss"}])
def test_trials_and_epochs_are_compared_by_one_objective_and_batch_size(begun, change):
    run, data = begun
    recipe, hp = dataclasses.replace(tiny.recipe, **change), space(tiny.recipe, data)
    (sentence,) = declared.check_training(recipe, run, data, hp)
    ((name, value),) = change.items()
    assert sentence.startswith(f"{name} was {run.facts['declared'][name]} when the run began")
    assert sentence.endswith(f"is {value} now")
    for begun_with, check in (
        (run.tuning, declared.check_search),
        (run.checkpoints, declared.check_training),
    ):
        begun_with.mkdir()
        with pytest.raises(RecipeError, match=f"{name} was .* Undo the change to go on"):
            check(recipe, run, data, hp)


def test_training_uses_tuned_values_that_are_still_offered(begun):
    run, data = begun
    hp = space(edited, data, {"units": 8})
    assert declared.check_training(edited, run, data, hp) == [CHANGES.split("; ")[0]]
    hp = space(edited, data, {"units": 4})
    with pytest.raises(RecipeError, match=r"units is 4 in this run, and must be of \[8, 16\] now"):
        declared.check_training(edited, run, data, hp)


def test_a_run_keeps_its_epochs_and_names_the_option_that_changes_them(begun):
    run, _ = begun
    recipe, said = dataclasses.replace(tiny.recipe, epochs=9, trial_epochs=3), []
    with start.resume(recipe, Options(), run, said.append):
        pass
    assert said == [
        f"Recipe.epochs was 6 when the run began, and is 9 now. {run.path} keeps 6. Use --epochs 9 "
        "to change that.",
        f"Recipe.trial_epochs was 2 when the run began, and is 3 now. {run.path} keeps 2.",
    ]
    said.clear()
    with start.resume(recipe, Options(epochs=9), run, said.append) as (changed, _):
        assert changed.facts["settings"]["epochs"] == 9
    assert len(said) == 1  # of the epochs per trial
