"""Which set of hyperparameters is tried next: KerasTuner's oracles, made to last.

All of them begin with the recipe's own defaults, which is what the others must beat, try no set
twice, and end only when the trials are used up or no set is left.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import warnings
from collections.abc import Callable, Iterator

import keras_tuner
import numpy as np

from kcatalog.recipe.search.files import ENDED, Kept

NEVER = 2**31  # as a limit; as a seed, one that no user can ask for
FROM = "tuner/trial_id"  # Hyperband's note on the trial that this one continues


class _Lasting(Kept):
    """What the engine adds to every oracle. `_random_values` and what it draws on are private
    in KerasTuner, and the only place where it gives up on a space."""

    exhausted = False  # whether no set is left
    on_end: Callable = staticmethod(lambda trial: None)

    def populate_space(self, trial_id):
        self.exhausted = False
        if self.start_order:
            return super().populate_space(trial_id)
        return {"status": "RUNNING", "values": self.defaults()}

    def defaults(self) -> dict:
        """The values that the recipe's author trusts."""
        hp = keras_tuner.HyperParameters()
        hp.merge(self.hyperparameters)  # parents come first, so conditions are known
        return hp.values

    def end_trial(self, trial):
        super().end_trial(trial)
        self.on_end(self.trials[trial.trial_id])

    def sets_tried(self) -> int:
        """How many different sets were tried."""
        return sum(FROM not in t.hyperparameters.values for t in self.trials.values())

    def in_use(self) -> set[str]:
        """Trials that another one continues, or may continue later."""
        return set()

    def _random_values(self) -> dict | None:
        """KerasTuner stops after 20 draws of known sets; here only when there is no other."""
        values = super()._random_values()
        if values is None:
            untried = (
                v
                for v in every_set(self.hyperparameters, self._seed_state)
                if not self._duplicate(v)
            )
            some = list(itertools.islice(untried, 10_000))
            self.exhausted = not some
            values = random.Random(self._seed_state).choice(some) if some else None  # noqa: S311
        return values


class RandomSearch(_Lasting, keras_tuner.oracles.RandomSearchOracle):
    """Sets drawn at random."""


class Bayesian(_Lasting, keras_tuner.oracles.BayesianOptimizationOracle):
    """Sets that a model of the scores expects much of. A set that was tried is drawn anew."""

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


class Hyperband(_Lasting, keras_tuner.oracles.HyperbandOracle):
    """Many sets trained shortly; the best of them go on."""

    def __init__(self, max_trials: int, **kwargs):
        super().__init__(hyperband_iterations=None, **kwargs)  # no limit but the trials
        self.max_trials = max_trials

    def populate_space(self, trial_id):
        with self._failed_come_last():
            found = super(_Lasting, self).populate_space(trial_id)
        if not self.start_order:
            notes = {k: v for k, v in found["values"].items() if k.startswith("tuner/")}
            found["values"] = self.defaults() | notes
        return found

    @contextlib.contextmanager
    def _failed_come_last(self) -> Iterator[None]:
        """KerasTuner waits for as many scores as a round has trials: a few that failed would
        keep all others from going on."""
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
        return (parents - {None}).union(*map(self._may_go_on, self._brackets))

    def _may_go_on(self, bracket: dict) -> set[str]:
        """Of each round that is not over, those that have not gone on yet."""
        number, found = bracket["bracket_num"], set()
        for i, (these, goers) in enumerate(itertools.pairwise(bracket["rounds"]), start=1):
            begun = [e for e in goers if self.trials[e["id"]].status in ENDED]
            if len(begun) < self._get_size(number, i):
                found |= {e["id"] for e in these} - {e["past_id"] for e in begun}
        return {i for i in found if self.trials[i].status != "FAILED"}

    def set_state(self, state):
        super().set_state(state)
        self.hyperband_iterations = float("inf")


ORACLES = {"random": RandomSearch, "bayesian": Bayesian, "hyperband": Hyperband}


def oracle(tuner: str, trials: int, epochs: int, **common):
    """The oracle of a tuner by its name on the command line."""
    limits = {"max_epochs": epochs} if tuner == "hyperband" else {}
    common["seed"] = common["seed"] or NEVER  # KerasTuner takes 0 for "any seed"
    made = ORACLES[tuner](
        max_trials=trials, max_consecutive_failed_trials=NEVER, **limits, **common
    )
    made.verbose = 0
    return made


def every_set(hp, seed: int = 0) -> Iterator[dict]:
    """Every set of active values; of a range that is not divided into steps, a drawn value.

    >>> hp = keras_tuner.HyperParameters()
    >>> _ = hp.Choice("part", ["a", "b"]), hp.Int("size", 1, 2, parent_name="part",
    ...     parent_values=["b"])
    >>> list(every_set(hp))
    [{'part': 'a'}, {'part': 'b', 'size': 1}, {'part': 'b', 'size': 2}]
    """
    return _sets(hp.space, {}, seed)


def _sets(space: list, values: dict, seed: int) -> Iterator[dict]:
    if not space:
        yield values
        return
    first, rest = space[0], space[1:]
    if all(condition.is_active(values) for condition in first.conditions):
        for value in _values(first, seed):
            yield from _sets(rest, {**values, first.name: value}, seed)
    else:
        yield from _sets(rest, values, seed)


def _values(h, seed: int) -> list:
    types = keras_tuner.engine.hyperparameters
    if isinstance(h, types.Int) and h.step is None:
        return list(range(h.min_value, h.max_value + 1))
    if isinstance(h, types.Int):
        return [int(v) for v in h.values]
    if isinstance(h, types.Float) and h.step is None:
        return [h.random_sample(seed)]
    return list(h.values)
