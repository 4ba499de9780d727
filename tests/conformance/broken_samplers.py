"""Samplers with one fault each, and the check that has to find it."""

import itertools
import threading

import keras
import numpy as np

from kcatalog.card import Example
from tests.conformance.broken_parts import broken

X = [[0.1], [0.2], [0.3], [0.4], [0.5], [0.6], [0.7], [0.8]]
EXAMPLE = Example({"x": X, "y": [0, 0, 0, 0, 1, 1, 1, 1]})


class Halves(keras.utils.PyDataset):
    """Nothing wrong with it: two classes in the batch, two samples of each."""

    samples_per_class, classes_per_batch = 2, 2

    def __init__(self, x, y, shard=0, shards=1, initial_epoch=0):
        super().__init__()
        self.x, self.y, self.shard, self.shards = np.array(x), np.array(y), shard, shards
        self.epoch = initial_epoch

    def places(self, step):
        rng = np.random.default_rng(self.epoch)
        first, second = rng.permutation(4), 4 + rng.permutation(4)
        half = slice(2 * step, 2 * step + 2)
        return np.concatenate([first[half], second[half]])

    def __len__(self):
        return 2

    def __getitem__(self, step):
        if not 0 <= step < 2:
            raise IndexError(f"step {step}")
        mine = np.split(self.places(step), self.shards)[self.shard]
        return self.x[mine], self.y[mine]

    def on_epoch_end(self):
        self.epoch += 1


@broken("same_seed_same_batches", example=EXAMPLE)
class NeverTheSame(Halves):
    """Its order differs from object to object."""

    count = itertools.count()

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.epoch += 100 * next(NeverTheSame.count)


@broken("batches_are_read_in_any_order", example=EXAMPLE)
class ReadsOn(Halves):
    """Yields what comes next, whatever batch it is asked for."""

    step = -1

    def __getitem__(self, step):
        self.step = (self.step + 1) % 2
        return super().__getitem__(self.step)


@broken("steps_outside_an_epoch_are_refused", example=EXAMPLE)
class ReachesBack(Halves):
    """Counts from the end, and beyond it."""

    def __getitem__(self, step):
        return super().__getitem__(step % 2)


@broken("epochs_differ", example=EXAMPLE)
class ShufflesOnce(Halves):
    """The same batches every epoch."""

    def on_epoch_end(self):
        pass


@broken("targets_stay_with_their_samples", example=EXAMPLE)
class SwapsLabels(Halves):
    """Balanced, but the labels are another sample's."""

    def __getitem__(self, step):
        x, y = super().__getitem__(step)
        return x, y[::-1]


@broken("batches_are_of_one_size", example=EXAMPLE)
class KeepsTheRest(Halves):
    """The last batch is smaller."""

    def __getitem__(self, step):
        x, y = super().__getitem__(step)
        return (x[:2], y[:2]) if step == 1 else (x, y)


@broken("every_sample_comes_up", example=EXAMPLE)
class ForgetsTheLast(Halves):
    """One sample never comes up."""

    def places(self, step):
        return np.where(super().places(step) == 7, 4, super().places(step))


@broken("pickles", example=EXAMPLE)
class HoldsALock(Halves):
    """Cannot be sent to another process."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.lock = threading.Lock()


@broken("trains_in_fit-1", "trains_in_fit-2", example=EXAMPLE)
class CountsTwice(Halves):
    """Skips every second epoch in `fit`, which announces both beginning and end."""

    def on_epoch_begin(self):
        self.epoch += 1


@broken("balanced", example=EXAMPLE, tags=("balanced",))
class OneTooMany(Halves):
    """Three of one class, one of the other."""

    def places(self, step):
        places = super().places(step)
        return np.concatenate([places[:2], super().places(1 - step)[:1], places[3:]])


@broken("sharded", example=EXAMPLE, tags=("sharded",))
class AllTheSame(Halves):
    """Every host gets the first half."""

    def __getitem__(self, step):
        self.shard = 0
        return super().__getitem__(step)


@broken("resumable", example=EXAMPLE, tags=("resumable",))
class StartsOver(Halves):
    """Takes the epoch to begin with, and begins with the first."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.epoch = 0
