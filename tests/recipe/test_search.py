"""The search from the command line: what is tried, what is kept, what it is judged by."""

import csv
import dataclasses
import io
import json
from pathlib import Path

import keras
import keras_tuner
import pytest
from rich.console import Console

from kcatalog.recipe.files import run_toml
from kcatalog.recipe.search import process, report, runners
from kcatalog.recipe.search.progress import Note
from kcatalog.recipe.search.trial import Training
from kcatalog.recipe.tasks.objective import objective
from kcatalog.recipe.terminal.errors import RecipeError
from kcatalog.recipe.training.checkpoint import Checkpoint
from tests.recipe import tiny


def trials(run):
    files = sorted((run / "tuning").glob("trial_*/trial.json"))
    return [json.loads(f.read_text()) for f in files]


def rows_of(run):
    with (run / "tuning" / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def values(run):
    return [t["hyperparameters"]["values"] for t in trials(run)]


@pytest.fixture
def untrained(monkeypatch):
    """Trials leave checkpoints and a score without training; the Keras policies they ran under."""
    policies = []

    def run(self, work):
        policies.append(keras.config.dtype_policy().name)
        work.checkpoints.mkdir(parents=True)
        rate = work.hp.get("dropout.rate")
        return [[{"val_accuracy": rate, "val_loss": 1 - rate}]]

    monkeypatch.setattr(Training, "run", run)
    return policies


def test_defaults_first_set_values_and_what_is_kept_stay_when_it_goes_on(call, untrained):
    call("tune", "--trials", 1, "--set", "optimizer=SGD", "--keep", 0)
    done = call("tune", "--resume", "--trials", 3)
    assert done.code == 0, done.err
    assert "(3 of 3)" in done.out
    assert "(1 of 3)" not in done.out
    first, *others = values(done.run)
    assert first["units"] == 4
    assert first["dropout.rate"] == 0.2
    assert first["optimizer.SGD.learning_rate"] == 0.01  # Keras's own default
    assert {v["optimizer"] for v in (first, *others)} == {"SGD"}
    assert len({v["dropout.rate"] for v in (first, *others)}) == 3
    assert not list((done.run / "tuning").glob("trial_*/checkpoints"))
    rows = rows_of(done.run)
    rates = [float(row["dropout.rate"]) for row in rows]
    assert rates == sorted((v["dropout.rate"] for v in (first, *others)), reverse=True)
    assert [float(row["val_accuracy"]) for row in rows] == rates
    assert {(row["status"], row["best_epoch"], row["optimizer"]) for row in rows} == {
        ("completed", "1", "SGD")
    }


def test_trials_csv_of_a_search_that_is_stopped(call, untrained, monkeypatch):
    run = Training.run

    def stop_in_second(self, work):
        if untrained:
            raise KeyboardInterrupt
        Note(1, 2, 0.5, 1, 1, seconds=3.21987).write(work.folder)
        return run(self, work)

    monkeypatch.setattr(Training, "run", stop_in_second)
    assert call("tune", "--trials", 3).code == 130
    first, second = rows_of(Path("runs/tiny/1"))
    assert (first["trial"], first["status"], first["seconds"]) == ("0", "completed", "3.22")
    assert (second["trial"], second["status"], second["val_accuracy"]) == ("1", "running", "")
    assert second["dropout.rate"]


def test_how_trials_run_stays_unless_given_again(call, monkeypatch):
    def run(self, work):
        limits.append(self.script.memory)
        raise RuntimeError("not tried")

    limits = []
    monkeypatch.setattr(runners.Processes, "_run", run)
    monkeypatch.setattr(process, "STATM", Path(__file__))  # as on Linux
    call("tune", "--trials", 1, "--isolate", "--trial-memory", 2)
    call("tune", "--resume", "--trials", 2)
    call("tune", "--resume", "--trials", 3, "--trial-memory", 4)
    assert limits == [2, 2, 4]


def test_one_build_is_enough_to_know_the_space(tmp_path):
    """Else KerasTuner builds a model for every option of every choice, before the first trial."""
    built = []

    def build(hp, data):
        built.append(tiny.build(hp, data))
        return built[-1]

    data = tiny.recipe.source.load(None, 0)
    model = Training(build, data, "val_accuracy", 2, 16, 0, tmp_path / "logs").model
    tuner = keras_tuner.RandomSearch(model, objective="val_accuracy", directory=tmp_path)
    assert len(built) == 1
    names = {h.name for h in tuner.oracle.get_space().space}
    assert {"optimizer.Adam.learning_rate", "optimizer.SGD.learning_rate"} <= names


def test_the_test_split_is_never_seen(call):
    class NoTest(tiny.Clouds):
        def load(self, name, seed):
            data = super().load(name, seed)
            data.fingerprint  # noqa: B018 - cached, so that only training could look
            hidden = object(), data.test[1]  # its labels are counted, no sample can be read
            object.__setattr__(data, "test", hidden)
            return data

    recipe = dataclasses.replace(tiny.recipe, source=NoTest())
    done = call("tune", "--trials", "1", "--trial-epochs", "1", recipe=recipe)
    assert done.code == 0, done.err
    assert call("train", "--epochs", "1", recipe=recipe).code == 0


def test_table_is_sorted_best_first():
    def trial(number, score):
        values = keras_tuner.HyperParameters()
        values.Float("rate", 0.0, 1.0, default=0.123456)
        t = keras_tuner.engine.trial.Trial(values, trial_id=str(number))
        t.score, t.best_step = score, 4
        return t

    for name, order in (("val_accuracy", ["1", "2", "0"]), ("val_loss", ["0", "2", "1"])):
        table = report.table([trial(0, 0.1), trial(1, 0.9), trial(2, 0.5)], name)
        console = Console(width=100, record=True, file=io.StringIO())
        console.print(table)
        rows = [line for line in console.export_text().splitlines() if "rate=0.123" in line]
        assert [row.split("│")[1].strip() for row in rows] == order


def test_an_objective_the_model_does_not_report(tmp_path):
    words = "The model reports no metric 'val_recall', which is the objective"
    with pytest.raises(RecipeError, match=words):
        Checkpoint(tmp_path, "val_recall").on_epoch_end(0, {"loss": 1.0})


@pytest.mark.parametrize(
    ("stated", "better", "worse"),
    [("val_mae", 0.4, 0.6), (("val_mae", "max"), 0.6, 0.4), ("val_accuracy", 0.6, 0.4)],
)
def test_an_objective_has_a_direction(tmp_path, stated, better, worse):
    name = objective(stated)
    checkpoint = Checkpoint(tmp_path, name)
    checkpoint.history, checkpoint.best_epoch = [{name: 0.5}], 0
    assert checkpoint.is_best({name: better})
    assert not checkpoint.is_best({name: worse})


def test_a_recipe_may_state_the_direction(call, untrained):
    recipe = dataclasses.replace(tiny.recipe, objective=("val_loss", "max"))
    done = call("tune", "--trials", 3, recipe=recipe)
    assert done.code == 0, done.err
    best = run_toml.read(done.run / "run.toml")["hyperparameters"]
    assert best["dropout.rate"] == min(v["dropout.rate"] for v in values(done.run))


@pytest.mark.parametrize("stated", ["val_profit", "val_cosine_similarity", ("val_loss", "down")])
def test_an_objective_of_unknown_direction_is_refused(call, stated):
    done = call("train", recipe=dataclasses.replace(tiny.recipe, objective=stated))
    assert done.code == 2
    assert done.err.startswith("Recipe.objective must be a metric of Keras or kcatalog under its")
    assert len(done.err.strip().splitlines()) == 1
    assert not (done.folder / "runs").exists()


def test_keras_is_left_as_it_was(call, untrained):
    before = keras.config.dtype_policy().name
    done = call("tune", "--trials", 1, "--precision", "mixed_bfloat16")
    assert done.code == 0, done.err
    assert untrained == ["mixed_bfloat16"]
    assert keras.config.dtype_policy().name == before
