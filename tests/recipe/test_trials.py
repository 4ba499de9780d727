"""A trial: resumed, continued, on folds, as long as its hyperparameters say."""

import dataclasses
import json

import keras
import keras_tuner
import numpy as np
import pytest

from kcatalog.recipe import tuning
from kcatalog.recipe.files import run_toml
from kcatalog.recipe.search import folds, trial
from kcatalog.recipe.search.trial import Training, Work, best_epoch
from kcatalog.recipe.terminal.errors import RecipeError
from kcatalog.recipe.training.checkpoint import read
from tests.recipe import tiny

DATA = tiny.recipe.source.load(None, 0)


def build(hp, data):
    """Whatever could differ after a pause: dropout, a schedule, a wrapper, statistics."""
    inputs = keras.Input((2,))
    x = keras.layers.Dense(4, activation="tanh", kernel_regularizer="l2")(inputs)
    x = keras.layers.BatchNormalization(momentum=0.9)(x)
    x = keras.layers.Dropout(hp.Choice("dropout", [0.2, 0.4, 0.6]))(x)
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    rate = keras.optimizers.schedules.ExponentialDecay(0.05, decay_steps=6, decay_rate=0.7)
    wrappers = ["kcatalog.optimizers.Lookahead"]
    optimizer = tuning.optimizer(
        hp, ["keras.optimizers.Adam"], wrappers, fixed={"learning_rate": rate}
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"], run_eagerly=True)  # no graph to trace
    return model


def trained_in(folder):
    return Training(build, DATA, "val_accuracy", 3, 48, 0, folder / "logs")


@pytest.fixture
def training(tmp_path):
    return trained_in(tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A trial of three epochs, undisturbed, and what it reported."""
    folder = tmp_path_factory.mktemp("whole")
    done = work(folder, "whole")
    return done, trained_in(folder).run(done)


def work(folder, name, parent=None, **values):
    hp = keras_tuner.HyperParameters()
    hp.values.update(values)
    (folder / name).mkdir(exist_ok=True)
    return Work(name, hp, folder / name, parent)


def state(done):
    """All that a trial left: weights, optimizer, seeds; and its history."""
    arrays, progress = read(done.checkpoints / "last.npz")
    return {k: v for k, v in arrays.items() if not k.startswith("best/")}, progress


def assert_same(first, second):
    (arrays, progress), (others, its) = state(first), state(second)
    assert progress == its
    assert arrays.keys() == others.keys()
    for name in arrays:
        assert np.array_equal(arrays[name], others[name]), name


class Killed(BaseException):
    """Nothing of Python runs after a kill, so nothing may catch this."""


@pytest.fixture
def begun(monkeypatch):
    """The epochs that begin, in order; `begun.kill` ends the n-th one that does."""

    class Begun(list):
        kill = None

    seen, real = Begun(), trial.batches_of

    def batches_of(*args):
        batches = real(*args)
        start = batches.start

        def counted(epoch):
            seen.append(epoch)
            if len(seen) == seen.kill:
                raise Killed
            start(epoch)

        batches.start = counted
        return batches

    monkeypatch.setattr(trial, "batches_of", batches_of)
    return seen


def test_killed_in_an_epoch_it_ends_as_if_it_had_not_been(training, whole, tmp_path, begun):
    (undisturbed, expected), killed = whole, work(tmp_path, "killed")
    begun.kill = 2
    with pytest.raises(Killed):
        training.run(killed)
    assert training.run(killed) == expected
    assert begun == [0, 1, 1, 2]
    assert_same(undisturbed, killed)


def test_a_continued_trial_is_one_trained_in_one_piece(training, whole, tmp_path, begun):
    (straight, expected), first = whole, work(tmp_path, "first")
    short = dataclasses.replace(training, epochs=1)
    short.run(first)
    before = state(first)
    begun.clear()
    second = work(tmp_path, "second", first.folder, **{"tuner/epochs": 3})
    assert training.run(second) == expected
    assert begun == [1, 2]
    assert_same(straight, second)
    assert state(first)[1] == before[1]  # which is left as it was
    orphan = work(tmp_path, "orphan", tmp_path / "pruned")
    short.run(orphan)  # begins anew
    assert_same(first, orphan)


def test_hyperband_scores_are_those_of_training_in_one_piece(call, tmp_path):
    """A warning, such as KerasTuner's of an optimizer whose state is lost, would fail this."""
    recipe = dataclasses.replace(tiny.recipe, build=build, batch_size=48)
    done = call("tune", "--tuner", "hyperband", "--trials", 4, "--trial-epochs", 3, recipe=recipe)
    assert (done.code, done.err) == (0, "")
    files = sorted((done.run / "tuning").glob("trial_*/trial.json"))
    *_, last = (json.loads(file.read_text()) for file in files)
    values = last["hyperparameters"]["values"]
    assert values["tuner/trial_id"] in "012"
    straight = trained_in(tmp_path).run(work(tmp_path, "straight", **values))
    assert len(straight[0]) == values["tuner/epochs"] == 3
    assert max(logs["val_accuracy"] for logs in straight[0]) == last["score"]
    best = run_toml.read(done.run / "run.toml")["hyperparameters"]
    assert "dropout" in best
    assert not any(name.startswith("tuner/") for name in best)


def test_folds_are_stratified_and_leave_the_test_part_alone():
    data = dataclasses.replace(DATA, train=(DATA.train[0][:50], DATA.train[1][:50] * 0))
    parts = list(folds.parts(data, 4, seed=0))
    seen = np.concatenate([part.validation[0] for part in parts])
    known = np.concatenate([data.train[0], data.validation[0]])
    assert sorted(map(tuple, seen)) == sorted(map(tuple, known))
    for part in parts:
        assert len(part.train[0]) + len(part.validation[0]) == len(known)
        assert not set(map(tuple, part.train[0])) & set(map(tuple, part.validation[0]))
        assert np.bincount(part.validation[1]).tolist() in ([16, 4], [17, 4])
        assert part.test is data.test
    again, other = list(folds.parts(data, 4, seed=0)), list(folds.parts(data, 4, seed=1))
    assert np.array_equal(parts[0].validation[0], again[0].validation[0])
    assert not np.array_equal(parts[0].validation[0], other[0].validation[0])


def test_a_trial_is_judged_by_the_mean_of_its_folds(call):
    done = call("tune", "--trials", 1, "--trial-epochs", 1, "--folds", 2)
    assert done.code == 0, done.err
    facts = json.loads((done.run / "tuning" / "trial_0" / "trial.json").read_text())
    metrics = facts["metrics"]["metrics"]
    scores = [metrics[f"val_accuracy of fold {i}"]["observations"][0]["value"][0] for i in (1, 2)]
    assert facts["score"] == pytest.approx(np.mean(scores), abs=1e-12)
    shown = f"{facts['score']:.4f} ± {np.std(scores, ddof=1):.4f}"
    assert done.out.count(shown) == 2  # the line and the table
    refused = call("tune", "--resume", "--folds", 4)
    assert (
        "runs/tiny/1 was started with --folds 2, which cannot be changed to 4 now." in refused.err
    )


def test_folds_need_one_label_a_sample():
    text = dataclasses.replace(DATA, task="next-character")
    with pytest.raises(RecipeError, match="--folds must be left out for clouds"):
        folds.check(text, 3)


def epochs_too(hp, data):
    hp.Choice("epochs", [3, 2])
    hp.Choice("batch_size", [48, 32])
    return build(hp, data)


def test_epochs_and_batch_size_may_be_hyperparameters(training, tmp_path):
    tuned = dataclasses.replace(training, build=epochs_too)
    job = work(tmp_path, "job", epochs=2, batch_size=32)
    assert len(tuned.run(job)[0]) == 2
    arrays, _ = state(job)
    assert any(v.shape == () and v == 2 * 96 // 32 for v in arrays.values())  # steps taken


def test_tuned_epochs_are_those_of_the_final_training(call):
    recipe = dataclasses.replace(tiny.recipe, build=epochs_too, batch_size=48)
    done = call("train", "--set", "epochs=2", recipe=recipe)
    assert done.code == 0, done.err
    assert json.loads((done.run / "training.json").read_text())["epochs"] == 2


def test_a_trial_that_diverges_at_once_fails(training, tmp_path):
    x, y = DATA.train
    data = dataclasses.replace(DATA)
    object.__setattr__(data, "train", (x * np.nan, y))
    parts = dataclasses.replace(training, data=data).run(work(tmp_path, "nan"))
    with pytest.raises(RecipeError, match="not a finite number in the first epoch"):
        best_epoch(parts, keras_tuner.Objective("val_accuracy", "max"))
