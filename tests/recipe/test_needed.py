"""Before the first trial: what later steps need is there."""

import dataclasses
import shutil
import sys
from types import SimpleNamespace

import keras
import keras_tuner
import pytest

from kcatalog.recipe.commands import needed, start
from kcatalog.recipe.commands.options import Options, initial
from kcatalog.recipe.files import keras_file
from kcatalog.recipe.terminal.errors import RecipeError
from tests.recipe import tiny


def begin(recipe, tmp_path, **options):
    """Begin a run. Nothing may be written where it is refused."""
    try:
        with start.begin(recipe, Options(run_dir=tmp_path / "run", **options)) as (run, _):
            return run
    except RecipeError:
        assert not (tmp_path / "run").exists()
        raise


def fails(data):
    """A baseline of a package that is missing."""
    import no_such_package

    return "none", no_such_package.score(data)


def needs_many(data):
    """A baseline that few samples are not enough for."""
    if len(data.train[0]) < 90:
        raise ValueError("too few")
    return "always left", 0.5


def test_a_baseline_that_fails_is_found_before_the_first_trial(tmp_path):
    recipe = dataclasses.replace(tiny.recipe, baseline=fails)
    with pytest.raises(RecipeError, match=r"fails: ModuleNotFoundError: .*no_such_package"):
        begin(recipe, tmp_path)
    with pytest.raises(RecipeError, match="baseline fails: TypeError"):
        begin(dataclasses.replace(recipe, baseline=lambda data: 0.5), tmp_path)


def test_a_baseline_that_fails_on_few_samples_alone_is_no_error(tmp_path):
    assert begin(dataclasses.replace(tiny.recipe, baseline=needs_many), tmp_path)


@pytest.mark.parametrize(
    ("module", "package", "task", "settings"),
    [
        ("matplotlib", "matplotlib", "classification", {}),
        ("sklearn", "scikit-learn", "classification", {}),
        ("matplotlib", "matplotlib", "forecast", {}),  # which draws at the end alone
        ("sklearn", "scikit-learn", "tagging", {"folds": 2}),  # which draws nothing
        ("sklearn", "scikit-learn", "tagging", {"tuner": "bayesian"}),
    ],
)
def test_packages_are_asked_for_before_the_first_trial(
    monkeypatch, module, package, task, settings
):
    settings = {**initial(tiny.recipe), **settings}
    data = dataclasses.replace(tiny.recipe.load(), task=task)
    needed.packages(tiny.recipe, settings, data)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(RecipeError, match=f"needs the package {package}, which is not installed"):
        needed.packages(tiny.recipe, settings, data)


def scaled(layer):
    """A recipe with a layer of the user's own."""

    def build(hp, data):
        inputs = keras.Input(data.input_shape, name=data.input_name)
        model = keras.Model(inputs, keras.layers.Dense(2)(layer()(inputs)))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("sgd", loss, metrics=["accuracy"])
        return model

    return dataclasses.replace(tiny.recipe, build=build)


class Forgetful(keras.layers.Layer):
    """A layer whose argument is in no configuration."""

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return x * self.factor


@keras.saving.register_keras_serializable("tests")
class Scale(Forgetful):
    """The same, complete and registered."""

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def test_a_model_that_cannot_be_loaded_again_is_refused(tmp_path):
    for layer in (lambda: Forgetful(2.0), lambda: keras.layers.Lambda(lambda x: 2 * x)):
        with pytest.raises(RecipeError, match="could not be loaded again after training") as e:
            begin(scaled(layer), tmp_path)
        assert "`@keras.saving.register_keras_serializable()`" in str(e.value)
    assert begin(scaled(lambda: Scale(2.0)), tmp_path)


def test_a_model_of_known_layers_is_not_saved_for_a_check(monkeypatch):
    data = tiny.recipe.load()
    model = tiny.build(keras_tuner.HyperParameters(), data)
    monkeypatch.setattr(keras.Model, "save", None)
    keras_file.check_reloads(model)


def test_a_disk_without_room_for_checkpoints_is_said(monkeypatch, tmp_path):
    model = SimpleNamespace(count_params=lambda: 28_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=2e9))
    (found,) = needed.space(model, 3, tmp_path)
    assert found.text == "checkpoints take up to 2.7 GB, and 2.0 GB are free"
    assert found.warning
    assert needed.space(model, 2, tmp_path) == []


def test_a_place_where_no_export_can_be_written_is_found_at_once(call, tmp_path):
    (tmp_path / "saved_models").write_text("a file")
    refused = call()
    assert refused.code == 2
    assert "saved_models is not a directory. Rename it, or start elsewhere." in refused.err
    assert not (tmp_path / "runs").exists()
    (tmp_path / "saved_models").rename(tmp_path / "renamed")
    needed.place("tiny")
