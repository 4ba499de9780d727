"""Tuning: every tuner, defaults first, resumable, judged on the validation split."""

import dataclasses
import io
import json
from pathlib import Path

import keras
import keras_tuner
import pytest
from rich.console import Console

from kcatalog.recipe.search import process, report, runners
from kcatalog.recipe.search.trial import Training
from kcatalog.recipe.training.checkpoint import Checkpoint
from tests.recipe import tiny


def trials(run):
    files = sorted((run / "tuning").glob("trial_*/trial.json"))
    return [json.loads(f.read_text()) for f in files]


@pytest.mark.slow
@pytest.mark.parametrize("tuner", ["bayesian", "hyperband"])
def test_tuners(call, tuner):
    done = call("tune", "--tuner", tuner, "--trials", "3", "--trial-epochs", "2")
    assert done.code == 0, done.err
    assert len(trials(done.run)) == 3
    best = json.loads((done.run / "hyperparameters.json").read_text())
    assert not any(name.startswith("tuner/") for name in best)
    assert {"units", "optimizer", f"optimizer.{best['optimizer']}.learning_rate"} <= best.keys()


@pytest.mark.slow
def test_the_first_trial_is_the_defaults_and_set_values_stay(call):
    done = call("tune", "--trials", "3", "--trial-epochs", "1", "--set", "optimizer=SGD")
    assert done.code == 0, done.err
    first, *others = (t["hyperparameters"]["values"] for t in trials(done.run))
    assert first["units"] == 4
    assert first["dropout.rate"] == 0.2
    assert first["optimizer.SGD.learning_rate"] == 0.01  # Keras's own default
    assert {t["optimizer"] for t in (first, *others)} == {"SGD"}
    assert len({t["dropout.rate"] for t in (first, *others)}) == 3


def training(**changes):
    facts = {"objective": "val_accuracy", "epochs": 2, "batch_size": 16, "seed": 0}
    data = tiny.recipe.source.load(None, 0)
    return Training(tiny.build, data, logs=Path("logs"), **{**facts, **changes})


def test_one_build_is_enough_to_know_the_space(tmp_path):
    """Else KerasTuner builds a model for every option of every choice, before the first trial."""
    built = []

    def build(hp, data):
        built.append(tiny.build(hp, data))
        return built[-1]

    model = dataclasses.replace(training(), build=build).model
    tuner = keras_tuner.RandomSearch(model, objective="val_accuracy", directory=tmp_path)
    assert len(built) == 1
    names = {h.name for h in tuner.oracle.get_space().space}
    assert {"optimizer.Adam.learning_rate", "optimizer.SGD.learning_rate"} <= names


@pytest.mark.slow
def test_an_interrupted_search_goes_on(call):
    call("tune", "--trials", "1", "--trial-epochs", "1")
    done = call("tune", "--trials", "2", "--resume")
    assert done.code == 0, done.err
    assert len(trials(done.run)) == 2
    assert "(2 of 2)" in done.out
    assert "(1 of 2)" not in done.out


@pytest.mark.slow
def test_how_trials_run_stays_unless_given_again(call, monkeypatch):
    def run(self, work):
        limits.append(self.script.memory)
        raise RuntimeError("not tried")

    limits = []
    monkeypatch.setattr(runners.Processes, "_run", run)
    monkeypatch.setattr(process, "STATM", Path(__file__))  # as on Linux
    call("tune", "--trials", "1", "--isolate", "--trial-memory", "2", "--keep", "5")
    call("tune", "--resume", "--trials", "2")
    done = call("tune", "--resume", "--trials", "3", "--trial-memory", "4")
    assert limits == [2, 2, 4]
    facts = json.loads((done.run / "run.json").read_text())
    assert facts["settings"]["keep"] == 5


@pytest.mark.slow
def test_as_many_checkpoints_are_kept_as_the_search_began_with(call):
    call("tune", "--trials", "1", "--trial-epochs", "1", "--keep", "0")
    done = call("tune", "--resume", "--trials", "2")
    assert done.code == 0, done.err
    assert len(trials(done.run)) == 2
    assert not list((done.run / "tuning").glob("trial_*/checkpoints"))


def test_the_test_split_is_never_seen(call):
    class NoTest(tiny.Clouds):
        def load(self, name, seed):
            data = super().load(name, seed)
            data.fingerprint  # noqa: B018 - cached, so that only training could look
            object.__setattr__(data, "test", (object(), object()))  # nothing can be read
            return data

    recipe = dataclasses.replace(tiny.recipe, source=NoTest())
    done = call("tune", "--trials", "1", "--trial-epochs", "1", recipe=recipe)
    assert done.code == 0, done.err
    assert call("train", "--epochs", "1", recipe=recipe).code == 0


@pytest.mark.slow
def test_trials_that_fail_are_told_of(call):
    def fragile(hp, data):
        model = tiny.build(hp, data)
        if hp.get("dropout.rate") != 0.2:
            raise RuntimeError("does not fit into memory")
        return model

    recipe = dataclasses.replace(tiny.recipe, build=fragile)
    done = call("tune", "--trials", "3", "--trial-epochs", "1", recipe=recipe)
    assert done.code == 0, done.err
    assert "failed" in done.out
    assert "does not fit into memory" in done.out
    assert json.loads((done.run / "hyperparameters.json").read_text())["dropout.rate"] == 0.2


def test_table_is_sorted_best_first():
    def trial(number, score):
        values = keras_tuner.HyperParameters()
        values.Float("rate", 0.0, 1.0, default=0.123456)
        t = keras_tuner.engine.trial.Trial(values, trial_id=str(number))
        t.score, t.best_step = score, 4
        return t

    for objective, order in (("val_accuracy", ["1", "2", "0"]), ("val_loss", ["0", "2", "1"])):
        table = report.table([trial(0, 0.1), trial(1, 0.9), trial(2, 0.5)], objective)
        console = Console(width=100, record=True, file=io.StringIO())
        console.print(table)
        rows = [line for line in console.export_text().splitlines() if "rate=0.123" in line]
        assert [row.split("│")[1].strip() for row in rows] == order


def test_an_objective_the_model_does_not_report(call):
    recipe = dataclasses.replace(tiny.recipe, objective="val_recall")
    done = call("train", "--epochs", "1", recipe=recipe)
    assert done.code == 2
    assert "The model reports no metric 'val_recall', which is the objective" in done.err


def test_an_error_is_minimized(tmp_path):
    checkpoint = Checkpoint(tmp_path, "val_mae")
    checkpoint.history, checkpoint.best_epoch = [{"val_mae": 0.5}], 0
    assert checkpoint.is_best({"val_mae": 0.4})
    assert not checkpoint.is_best({"val_mae": 0.6})


@pytest.mark.parametrize("stated", ["val_profit", "val_cosine_similarity", ("val_loss", "down")])
def test_an_objective_of_unknown_direction_is_refused(call, stated):
    done = call("train", recipe=dataclasses.replace(tiny.recipe, objective=stated))
    assert done.code == 2
    assert done.err.startswith("Recipe.objective must be a metric of Keras or kcatalog under its")
    assert len(done.err.strip().splitlines()) == 1
    assert not (done.folder / "runs").exists()


def test_a_recipe_may_state_the_direction(call):
    recipe = dataclasses.replace(tiny.recipe, objective=("val_loss", "max"))
    done = call("--epochs", "3", "--trials", "2", "--trial-epochs", "1", recipe=recipe)
    assert done.code == 0, done.err
    facts = json.loads((done.run / "training.json").read_text())
    losses = [logs["val_loss"] for logs in facts["history"]]
    assert losses[facts["best_epoch"] - 1] == max(losses) > min(losses)
    tried = max(trials(done.run), key=lambda trial: trial["score"])["hyperparameters"]["values"]
    assert json.loads((done.run / "hyperparameters.json").read_text()).items() <= tried.items()


def test_keras_is_left_as_it_was(call):
    before = keras.config.dtype_policy().name
    done = call("train", "--epochs", "1", "--precision", "mixed_bfloat16")
    assert done.code == 0, done.err
    assert keras.config.dtype_policy().name == before
