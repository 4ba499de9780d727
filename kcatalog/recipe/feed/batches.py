"""Batches in an order that depends on the seed and the epoch alone."""

from __future__ import annotations

import math

import keras
import numpy as np

from kcatalog.recipe import devices
from kcatalog.recipe.terminal.errors import RecipeError
from kcatalog.samplers import MPerClass

MOST_BYTES = 2**23  # of samples in a batch for evaluation


Shard = tuple[int, int]  # which host this is, and of how many


class Batches(keras.utils.PyDataset):
    """Shuffled batches of equal size.

    The order is a function of (seed, epoch), so a resumed run sees the batches that the
    uninterrupted run would have seen. Batches are all of one size, so that a compiled step is
    compiled once: up to `batch_size - 1` samples sit an epoch out, other ones each epoch.

    Args:
        x, y: the samples and their labels.
        batch_size: samples in a batch, of all hosts together.
        seed: same seed, same order.
        shard: this host's number and how many there are; it gets its part of every batch.
    """

    def __init__(
        self, x: np.ndarray, y: np.ndarray, batch_size: int, seed: int, shard: Shard = (0, 1)
    ):
        super().__init__()
        self.x, self.y, self.seed, self.shard = x, y, seed, shard
        self.batch_size = min(batch_size, len(x))
        check_divisible("samples in a batch", self.batch_size, shard[1], "hosts")
        check_divisible("samples in a batch", self.batch_size, devices.replicas(), "devices")
        self.start(epoch=0)

    def start(self, epoch: int) -> None:
        """Shuffle for this epoch."""
        rng = np.random.default_rng((self.seed, epoch))
        self._order = rng.permutation(len(self.x))
        _seed_torch(rng)

    def __len__(self) -> int:
        return len(self.x) // self.batch_size

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        host, hosts = self.shard
        part = self.batch_size // hosts
        first = index * self.batch_size + host * part
        chosen = self._order[first : first + part]
        return self.x[chosen], self.y[chosen]

    def shuffling(self) -> keras.callbacks.Callback:
        """Return the callback that tells the batches which epoch begins."""
        return keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: self.start(epoch))


class Balanced(MPerClass):
    """Batches of several samples of each of some classes, told which epoch begins."""

    shuffling = Batches.shuffling

    def start(self, epoch: int) -> None:
        """Go to this epoch."""
        self.epoch = epoch
        _seed_torch(np.random.default_rng((self.seed, epoch)))

    def on_epoch_end(self) -> None:
        """Nothing: `start` says which epoch it is."""


def check_divisible(what: str, number: int, parts: int, kind: str) -> None:
    """Refuse a number that hosts or devices cannot share evenly."""
    if number % parts:
        raise RecipeError(
            f"The {what} must be a multiple of the {parts} {kind} that share it. "
            f"Received: {number}. Set Recipe(batch_size=...), or use another number of {kind}."
        )


def _seed_torch(rng: np.random.Generator) -> None:
    if keras.backend.backend() == "torch":  # its dropout draws from one global generator
        import torch

        torch.manual_seed(int(rng.integers(2**63)))


class InOrder(keras.utils.PyDataset):
    """All samples once, in their order; the last batch may be smaller."""

    def __init__(self, *arrays):
        super().__init__()
        self.x, self._arrays, self.batch_size = arrays[0], arrays, evaluation_size(arrays[0])

    def __len__(self) -> int:
        return -(-len(self.x) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        part = slice(index * self.batch_size, (index + 1) * self.batch_size)
        return tuple(a[part] for a in self._arrays)


def evaluation_size(x) -> int:
    """Return a batch size for evaluation: few batches, bounded memory."""
    most = MOST_BYTES // (x.dtype.itemsize * math.prod(x.shape[1:]))
    return shared_size(len(x), max(1, min(len(x), 512, most)), devices.replicas())


def shared_size(samples: int, most: int, replicas: int) -> int:
    """Return the largest batch size, up to `most`, of which every replica gets something.

    Keras splits the first batch evenly. The last one may be smaller, and there TensorFlow fills one
    replica after the other: 287 samples in batches of 286 leave the second of two with none, where
    convolutions by oneDNN fail. Some few samples cannot be shared so; they get the largest size.

    >>> shared_size(287, 287, replicas=2)
    190
    """

    def last(size):
        return samples % size or size

    sizes = range(most - most % replicas, 0, -replicas)
    shared = (size for size in sizes if last(size) > size - size // replicas)
    return next(shared, most - most % replicas or most)
