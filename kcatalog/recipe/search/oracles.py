"""KerasTuner's oracles, which choose the values of the next trial, made resumable.

All of them begin with the recipe's defaults, which are what other trials must beat, try no values
twice, and end only when the trials are used up or no untried values are left.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import warnings
from collections.abc import Iterator
from typing import Any

import keras_tuner
import numpy as np

from kcatalog.recipe.search.atomic_files import ENDED, AtomicFiles

NEVER = 2**31  # as a limit; as a seed, one that no user can ask for
FROM = "tuner/trial_id"  # Hyperband's note on the trial that this one continues


class ResumableOracle(AtomicFiles):
    """Mixin for all oracles. KerasTuner's `_random_values`, and `_duplicate` and `_seed_state` that
    it uses, are private, but nothing public decides when a search space counts as exhausted."""

    exhausted = False  # whether no untried values are left

    def populate_space(self, trial_id):
        self.exhausted = False
        if self.start_order:
            return super().populate_space(trial_id)
        return {"status": "RUNNING", "values": self.defaults()}

    def defaults(self) -> dict[Any, Any]:
        """Return the recipe's default values."""
        hp = keras_tuner.HyperParameters()
        hp.merge(self.hyperparameters)  # parents come first, so conditions are known
        return hp.values

    def combinations_tried(self) -> int:
        """Return how many different combinations of values were tried."""
        return sum(FROM not in t.hyperparameters.values for t in self.trials.values())

    def in_use(self) -> set[str]:
        """Return the trials that another one continues, or may continue later."""
        return set()

    def _random_values(self) -> dict[Any, Any] | None:
        """Draw untried values. KerasTuner gives up after 20 draws of values that were tried; here
        the search ends only when there are no others."""
        values = super()._random_values()
        if values is None:
            untried = (
                v
                for v in combinations(self.hyperparameters, self._seed_state)
                if not self._duplicate(v)
            )
            sample = list(itertools.islice(untried, 10_000))
            self.exhausted = not sample
            values = random.Random(self._seed_state).choice(sample) if sample else None  # noqa: S311
        return values


class RandomSearch(ResumableOracle, keras_tuner.oracles.RandomSearchOracle):
    """Values drawn at random."""


class Bayesian(ResumableOracle, keras_tuner.oracles.BayesianOptimizationOracle):
    """Values for which a Gaussian process of the scores expects much. Values that were tried are
    replaced by random ones."""

    def populate_space(self, trial_id):
        from sklearn.exceptions import ConvergenceWarning

        # KerasTuner does not save this state: a resumed search would go another way
        self._random_state = np.random.RandomState((self.seed + len(self.trials)) % 2**32)
        with warnings.catch_warnings():  # of a model of few scores, which the user cannot help
            warnings.simplefilter("ignore", ConvergenceWarning)
            found = super().populate_space(trial_id)
        if found["values"] and self._duplicate(found["values"]):
            found["values"] = self._random_values()
            found["status"] = "RUNNING" if found["values"] else "STOPPED"
        return found


class Hyperband(ResumableOracle, keras_tuner.oracles.HyperbandOracle):
    """Many trials of few epochs, the best of which are continued."""

    def __init__(self, max_trials: int, **kwargs):
        super().__init__(hyperband_iterations=None, **kwargs)  # no limit but the trials
        self.max_trials = max_trials

    def populate_space(self, trial_id):
        with self._failed_rank_last():
            found = super(ResumableOracle, self).populate_space(trial_id)
        if not self.start_order:
            notes = {k: v for k, v in found["values"].items() if k.startswith("tuner/")}
            found["values"] = self.defaults() | notes
        return found

    @contextlib.contextmanager
    def _failed_rank_last(self) -> Iterator[None]:
        """Give failed trials the worst score meanwhile. KerasTuner waits for as many scores as a
        round has trials, so a few failures would keep all others from being continued."""
        failed = [t for t in self.trials.values() if t.status == "FAILED"]
        worst = float("-inf" if self.objective.direction == "max" else "inf")
        for trial in failed:
            trial.status, trial.score = "COMPLETED", worst
        try:
            yield
        finally:
            for trial in failed:
                trial.status, trial.score = "FAILED", None

    def in_use(self) -> set[str]:
        under_way = (t for t in self.trials.values() if t.status not in ENDED)
        parents = {t.hyperparameters.values.get(FROM) for t in under_way}
        return (parents - {None}).union(*map(self._may_be_continued, self._brackets))

    def _may_be_continued(self, bracket: dict[Any, Any]) -> set[str]:
        """Return the trials of unfinished rounds that have not been continued yet."""
        number, found = bracket["bracket_num"], set()
        for i, (current, following) in enumerate(itertools.pairwise(bracket["rounds"]), start=1):
            continued = [e for e in following if self.trials[e["id"]].status in ENDED]
            if len(continued) < self._get_size(number, i):
                found |= {e["id"] for e in current} - {e["past_id"] for e in continued}
        return {i for i in found if self.trials[i].status != "FAILED"}

    def set_state(self, state):
        super().set_state(state)
        self.hyperband_iterations = float("inf")


ORACLES = {"random": RandomSearch, "bayesian": Bayesian, "hyperband": Hyperband}


def oracle(tuner: str, trials: int, epochs: int, **common):
    """Return a tuner's oracle by its name on the command line."""
    limits = {"max_epochs": epochs} if tuner == "hyperband" else {}
    common["seed"] = common["seed"] or NEVER  # KerasTuner takes 0 for "any seed"
    made = ORACLES[tuner](
        max_trials=trials, max_consecutive_failed_trials=NEVER, **limits, **common
    )
    made.verbose = 0
    return made


def combinations(hp, seed: int = 0) -> Iterator[dict[Any, Any]]:
    """Yield all combinations of active values. A range without steps is represented by one random
    value.

    >>> hp = keras_tuner.HyperParameters()
    >>> _ = hp.Choice("part", ["a", "b"]), hp.Int("size", 1, 2, parent_name="part",
    ...     parent_values=["b"])
    >>> list(combinations(hp))
    [{'part': 'a'}, {'part': 'b', 'size': 1}, {'part': 'b', 'size': 2}]
    """
    return _combinations(hp.space, {}, seed)


def _combinations(space: list[Any], values: dict[Any, Any], seed: int) -> Iterator[dict[Any, Any]]:
    if not space:
        yield values
        return
    first, rest = space[0], space[1:]
    if all(condition.is_active(values) for condition in first.conditions):
        for value in _values(first, seed):
            yield from _combinations(rest, {**values, first.name: value}, seed)
    else:
        yield from _combinations(rest, values, seed)


def _values(h, seed: int) -> list[Any]:
    types = keras_tuner.engine.hyperparameters
    if isinstance(h, types.Int) and h.step is None:
        return list(range(h.min_value, h.max_value + 1))
    if isinstance(h, types.Int):
        return [int(v) for v in h.values]
    if isinstance(h, types.Float) and h.step is None:
        return [h.random_sample(seed)]
    return list(h.values)
