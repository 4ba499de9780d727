"""Trials: defaults first, none twice, all of them, and the same after a kill."""

import dataclasses
import io
import json
import re
from concurrent.futures import Future
from pathlib import Path

import keras
import keras_tuner
import pytest
from rich.console import Console

from kcatalog import atomic
from kcatalog.recipe import tuning
from kcatalog.recipe.search import atomic_files, oracles, runners
from kcatalog.recipe.search.trial import Training, best_epoch
from kcatalog.recipe.search.tuner import Budget, Tuner
from kcatalog.recipe.terminal.errors import RecipeError

TUNERS = ("random", "bayesian", "hyperband")


def model():
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])


def six(hp, data):
    """A space of six sets."""
    hp.Choice("units", [2, 4, 8], default=4)
    hp.Boolean("bias")
    return model()


def endless(hp, data):
    hp.Float("rate", 0.1, 1.0, default=0.3)
    return model()


def parts(hp, data):
    """Loss, optimizer, wrapper, regularizer, batch size and epochs."""
    losses = ["keras.losses.SparseCategoricalCrossentropy", "kcatalog.losses.CrammerSingerHinge"]
    tuning.choose(hp, "loss", losses, fixed={"from_logits": True})
    wrappers = [None, "kcatalog.optimizers.Lookahead"]
    tuning.optimizer(hp, ["keras.optimizers.Adam", "keras.optimizers.SGD"], wrappers)
    tuning.choose(hp, "regularizer", [None, "keras.regularizers.L1", "keras.regularizers.L2"])
    hp.Choice("batch_size", [16, 32])
    if data != "hyperband":
        hp.Int("epochs", 1, 3)
    return model()


def score(hp):
    """A score without training."""
    text = json.dumps(sorted(hp.values.items()))
    return sum(text.encode()) % 97 / 97


@dataclasses.dataclass
class Searched:
    """A finished search: its trials' values and scores in order, and what it printed."""

    trials: list
    said: str
    oracle: object

    @property
    def facts(self):
        return [(t.trial_id, t.hyperparameters.values, t.score, t.status) for t in self.trials]

    @property
    def values(self):
        return [t.hyperparameters.values for t in self.trials]


class Named(str):
    """Data that are nothing but the tuner's name, and files that have changed."""

    def __new__(cls, name, altered):
        made = super().__new__(cls, name)
        made.changed = lambda: altered
        return made


def run(folder, build=endless, tuner="random", trials=5, keep=3, run_trial=None, **more):
    """A search in `folder`, which resumes what is there."""
    runner = more.get("runner") or runners.InProcess(run_trial or scored)
    data, seed = Named(tuner, more.get("altered", [])), more.get("seed", 0)
    training = Training(build, data, "val_accuracy", 9, 16, seed, folder / "logs")
    space, console = keras_tuner.HyperParameters(), Console(file=io.StringIO(), width=200)
    build(space, tuner)
    budget = Budget(tuner, trials, keep)
    made = Tuner(training, space, budget, runner, folder / "tuning", console)
    made.search()
    return Searched(list(made.oracle.trials.values()), console.file.getvalue(), made.oracle)


def scored(work):
    return [[{"val_accuracy": score(work.hp)}]]


@pytest.fixture(autouse=True)
def _few_starts(monkeypatch):
    """The Gaussian process needs no more to find its way in one dimension."""
    made = oracles.Bayesian._make_gpr

    def quick(self):
        return made(self).set_params(n_restarts_optimizer=1)

    monkeypatch.setattr(oracles.Bayesian, "_make_gpr", quick)


@pytest.mark.parametrize("tuner", TUNERS)
def test_defaults_first_and_combinations_once(tmp_path, tuner):
    done = run(tmp_path, six, tuner, trials=50)
    sets = [(v["units"], v["bias"]) for v in done.values if oracles.FROM not in v]
    assert sets[0] == (4, False)
    assert sorted(sets) == [(u, b) for u in (2, 4, 8) for b in (False, True)]
    assert "All 6 combinations of hyperparameters were tried." in done.said
    assert ("--tuner random" in done.said) == (tuner == "hyperband")
    assert "were tried" in run(tmp_path, six, tuner, trials=60).said


@pytest.mark.parametrize("tuner", TUNERS)
def test_more_trials_later_are_the_trials_of_a_longer_search(tmp_path, tuner):
    for trials in (1, 4, 6):
        raised = run(tmp_path / "raised", tuner=tuner, trials=trials)
        assert len(raised.trials) == trials
        assert "were tried" not in raised.said
    assert raised.facts == run(tmp_path / "at once", tuner=tuner, trials=6).facts


def test_same_seed_same_trials(tmp_path):
    """KerasTuner takes a seed of 0 for none at all."""
    first, second, other = (
        run(tmp_path / str(i), trials=3, seed=seed).values for i, seed in enumerate((0, 0, 1))
    )
    assert first == second != other


@pytest.mark.parametrize("tuner", TUNERS)
def test_only_what_is_chosen_has_values(tmp_path, tuner):
    done = run(tmp_path, parts, tuner, trials=12)
    for values in done.values:
        named = {k for k in values if not k.startswith("tuner/")}
        chosen = {"loss", "optimizer", "wrapper", "regularizer", "batch_size"}
        chosen |= {"epochs"} - ({"epochs"} if tuner == "hyperband" else set())
        for name in named - chosen:
            kind, part, _ = name.split(".")
            assert values[kind] == part, name
        assert chosen <= named
        if values["regularizer"] != "none":
            assert any(name.startswith("regularizer.") for name in named)
    for name in ("loss", "optimizer", "wrapper", "regularizer"):
        assert len({v[name] for v in done.values}) > 1


class Shuffled(runners.Runner):
    """Runs several trials at once, the last of which ends first."""

    slots = 3

    def __init__(self, die_at=None):
        self.waiting, self.started, self.die_at = [], [], die_at

    def submit(self, work):
        if len(self.started) == self.die_at:
            raise Killed
        self.started.append(work.trial_id)
        future = Future()
        self.waiting.append(future)
        if len(self.waiting) == self.slots:
            self.waiting.pop().set_result(None)
        return future

    def result(self, work, future):
        if self.waiting:  # what the loop would wait for next
            self.waiting.pop().set_result(None)
        return scored(work)


@pytest.mark.parametrize("tuner", TUNERS)
def test_trials_at_once(tmp_path, tuner):
    """Random search tries the same as one by one, a kill included; the others depend on the order
    in which scores become known, but try as many and none twice."""
    with pytest.raises(Killed):
        run(tmp_path / "spread", tuner=tuner, trials=11, runner=Shuffled(die_at=7))
    last = Shuffled()
    spread = run(tmp_path / "spread", tuner=tuner, trials=11, runner=last)
    assert last.started[0] == "00"  # which was still under way
    rates = [(v["rate"], v.get("tuner/epochs")) for v in spread.values]
    assert len(set(rates)) == len(rates) == 11
    alone = run(tmp_path / "alone", tuner=tuner, trials=11)
    if tuner == "random":
        assert spread.facts == alone.facts
    else:
        assert spread.values[:2] == alone.values[:2]


def test_an_exhausted_space_ends_a_search_of_trials_at_once(tmp_path):
    done = run(tmp_path, six, trials=50, runner=Shuffled())
    assert len(done.trials) == 6
    assert "All 6 combinations of hyperparameters were tried." in done.said


class Killed(BaseException):
    """Nothing of Python runs after a kill, so nothing may catch this."""


def kill(*_):
    raise Killed


def kill_at(monkeypatch, number, before):
    """End the search at its n-th write of a file: before it, or after it."""
    real, count = atomic_files.write, iter(range(10_000))

    def write(file, state):
        last = next(count) == number
        if last and before:
            raise Killed
        real(file, state)
        if last:
            raise Killed

    monkeypatch.setattr(atomic_files, "write", write)
    return lambda: monkeypatch.setattr(atomic_files, "write", real)


def killed_at_writes(folder, tuner, trials, every, monkeypatch):
    """Kill a search at its writes, one search each, and compare what it becomes when resumed."""
    whole = run(folder / "whole", tuner=tuner, trials=trials).facts
    for number in range(0, 1000, every):
        place, before = folder / str(number), number % 2 == 0
        again = kill_at(monkeypatch, number // 2, before)
        try:
            run(place, tuner=tuner, trials=trials)
        except Killed:
            again()
        else:
            again()
            return number // 2  # more than there are
        assert run(place, tuner=tuner, trials=trials).facts == whole, number
    raise AssertionError("It never came to its end.")


@pytest.mark.slow
@pytest.mark.parametrize(("tuner", "trials", "every"), [("random", 2, 3), ("bayesian", 5, 15)])
def test_killed_at_any_write_it_ends_as_if_it_had_not_been(
    tmp_path, tuner, trials, every, monkeypatch
):
    assert killed_at_writes(tmp_path, tuner, trials, every, monkeypatch) >= 5 * trials


@pytest.mark.soak
@pytest.mark.parametrize("tuner", TUNERS)
def test_killed_at_every_write_of_a_long_search(tmp_path, tuner, monkeypatch):
    assert killed_at_writes(tmp_path, tuner, 16, 1, monkeypatch) >= 16 * 5


@pytest.mark.parametrize("name", ["oracle.json", "trial_2/trial.json"])
@pytest.mark.parametrize(
    ("content", "killed", "problem"),
    [("{", False, "damaged"), ("", True, "missing"), (None, False, "missing")],
)
def test_a_damaged_file_is_named_and_the_one_before_it_used(
    tmp_path, name, content, killed, problem, monkeypatch
):
    """Also if the search is killed while it restores the file."""
    whole, file = run(tmp_path).facts, tmp_path / "tuning" / name
    file.unlink()
    if content is not None:
        file.write_text(content)
    if killed:
        with monkeypatch.context() as patch:
            patch.setattr(atomic, "sync", kill)
            with pytest.raises(Killed):
                run(tmp_path)
    done = run(tmp_path)
    assert done.facts == whole
    assert f"{name} is {problem}; the previous one was restored." in done.said
    assert content is None or file.with_suffix(".damaged.json").read_text() == content


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("oracle", "{", "oracle.json is damaged, and oracle.before.json is no better"),
        ("trial_1/trial", None, "trial_1.trial.json is missing"),
    ],
)
def test_what_cannot_be_mended_is_refused(tmp_path, name, content, sentence):
    run(tmp_path, trials=2)
    for file in (tmp_path / "tuning" / f"{name}{end}" for end in (".json", ".before.json")):
        file.unlink()
        if content:
            file.write_text(content)
    with pytest.raises(RecipeError, match=sentence):
        run(tmp_path, trials=3)


def test_a_hopeless_search_stops(tmp_path):
    def fails(work):
        raise ValueError("no such\nlayer")

    reason = r"first 10 trials failed. The last one: layer. Correct the cause. To start a new run"
    with pytest.raises(RecipeError, match=reason) as refused:
        run(tmp_path, trials=30, run_trial=fails)
    free = Path(re.search(r"--run-dir (\S+)\.$", str(refused.value))[1])
    assert len(run(free, trials=2).trials) == 2


def test_all_trials_may_fail_but_one(tmp_path):
    def fails(work):
        if work.trial_id != "00":
            raise ValueError("unlucky")
        return [[{"val_accuracy": 0.5}]]

    done = run(tmp_path, trials=14, run_trial=fails)
    assert [t.status for t in done.trials] == ["COMPLETED"] + ["FAILED"] * 13
    assert "(14 of 14): failed: ValueError: unlucky" in done.said
    assert done.said.count("unlucky") == 2 * 13  # a line for each, and the table


FULL = "Cannot write", OSError(28, "No space left on device"), r"No space left.*--resume"
CHANGED = "The file has changed.", None, r"changed.*cat\.png. Put them back.*with --resume"


@pytest.mark.parametrize(
    ("error", "cause", "sentence"), [FULL, CHANGED], ids=["full disk", "changed file"]
)
def test_what_every_trial_would_meet_ends_the_search_not_a_trial(tmp_path, error, cause, sentence):
    def fails(work):
        raise RecipeError(error) from cause

    altered = [] if cause else ["cat.png"]
    with pytest.raises(RecipeError, match=sentence):
        run(tmp_path, trials=3, run_trial=fails, altered=altered)
    assert [t.status for t in run(tmp_path, trials=3).trials] == ["COMPLETED"] * 3


@pytest.mark.parametrize(("tuner", "keep"), [("random", 2), ("random", 0), ("hyperband", 1)])
def test_checkpoints_of_the_best_are_kept(tmp_path, tuner, keep):
    most = []

    def run_trial(work):
        work.checkpoints.mkdir(parents=True, exist_ok=True)
        most.append(len(list((tmp_path / "tuning").glob("*/checkpoints"))))
        if work.hp.values["rate"] > 0.9:
            raise ValueError("diverged")
        return [[{"val_accuracy": score(work.hp)}]]

    done = run(tmp_path, tuner=tuner, trials=16, keep=keep, run_trial=run_trial)
    kept = {p.parent.name.removeprefix("trial_") for p in tmp_path.glob("tuning/*/checkpoints")}
    good = sorted((t for t in done.trials if t.score is not None), key=lambda t: -t.score)
    best = {t.trial_id for t in good[:keep]}
    if tuner == "hyperband":
        assert best <= kept
        assert max(most) <= 9 + 1 + keep  # its largest round, and the trial that runs
        parents = [t.hyperparameters.values.get(oracles.FROM) for t in done.trials]
        first = [t.trial_id for t in good if t.trial_id < "09"]
        second = [t.trial_id for t in good if "09" <= t.trial_id < "12"]
        assert [p for p in parents if p] == [*first[:3], second[0]]
    else:
        assert kept == best
        assert max(most) == keep + 1


def test_hyperband_continues_trials_up_to_the_epochs_that_are_fixed(tmp_path):
    def lasting(hp, data):
        hp.Fixed("epochs", 3)
        return endless(hp, data)

    def run_trial(work):
        parents.append(work.parent and work.parent.name)
        return scored(work)

    parents = []
    done = run(tmp_path, lasting, "hyperband", trials=6, run_trial=run_trial)
    assert [v["tuner/epochs"] for v in done.values] == [1, 1, 1, 3, 3, 3]
    assert {v["epochs"] for v in done.values} == {3}
    continued = done.values[3][oracles.FROM]
    assert parents[:4] == [None, None, None, f"trial_{continued}"]


def test_the_mean_of_folds_is_what_counts():
    folds = [
        [{"loss": 1.0, "val_accuracy": 0.5}, {"loss": 0.5, "val_accuracy": 0.75}],
        [{"loss": 1.0, "val_accuracy": 1.0}, {"loss": 0.5, "val_accuracy": 0.25}],
    ]
    objective = keras_tuner.Objective("val_accuracy", "max")
    assert best_epoch(folds, objective) == (
        {
            "loss": 1.0,
            "val_accuracy": 0.75,
            "val_accuracy of fold 1": 0.5,
            "val_accuracy of fold 2": 1.0,
        },
        0,
    )
    assert best_epoch(folds, keras_tuner.Objective("val_accuracy", "min"))[1] == 1
    with pytest.raises(RecipeError, match="not a finite number in the first epoch"):
        best_epoch([[], folds[1]], objective)
    with pytest.raises(RecipeError, match="does not report val_auc"):
        best_epoch(folds, keras_tuner.Objective("val_auc", "max"))


def test_sets_of_ranges_and_conditions():
    hp = keras_tuner.HyperParameters()
    hp.Int("size", 2, 32, step=4, sampling="log")
    hp.Float("rate", 0.0, 1.0, step=0.5)
    hp.Fixed("word", "same")
    with hp.conditional_scope("size", [8]):
        hp.Int("free", 1, 3, sampling="log")
    sets = list(oracles.combinations(hp))
    assert len(sets) == 3 * (1 + 3 + 1)  # 2, 8 with three of its own, 32
    assert {s.get("free") for s in sets if s["size"] == 8} == {1, 2, 3}
    assert all("free" not in s for s in sets if s["size"] != 8)
