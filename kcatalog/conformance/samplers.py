"""Checks for samplers: `keras.utils.PyDataset`s of batches `(x, y)`, made of arrays `x` and `y`."""

from __future__ import annotations

import itertools
import pickle
from typing import Any

import keras
import numpy as np

from kcatalog.card import build_args
from kcatalog.conformance import backend
from kcatalog.conformance.subject import CheckError, Subject, close, require
from kcatalog.conformance.suite import check

EPOCHS = 3
MANY_EPOCHS = 50  # enough for every sample of the few that an example has


def _epoch(part) -> list[Any]:
    """The batches of the epoch at which the sampler stands."""
    return [tuple(np.array(a) for a in part[step]) for step in range(len(part))]


def _epochs(part, count: int) -> list[Any]:
    """The batches of so many epochs, one list each."""
    found = []
    for _ in range(count):
        found.append(_epoch(part))
        part.on_epoch_end()
    return found


def _batches(part, epochs: int = EPOCHS) -> list[Any]:
    """The batches of so many epochs, in one list."""
    return list(itertools.chain.from_iterable(_epochs(part, epochs)))


def _same(one, other) -> bool:
    pairs = zip(one, other, strict=True)
    return all(np.array_equal(p[0], q[0]) and np.array_equal(p[1], q[1]) for p, q in pairs)


def _data(s: Subject) -> tuple[np.ndarray, np.ndarray]:
    """The example's samples, which have to differ, and its labels."""
    args = build_args(s.card.example.args)
    x, y = np.asarray(args["x"], "float64"), np.asarray(args["y"])
    require(len(np.unique(x, axis=0)) == len(x), "the samples in the card's example must differ")
    return x.reshape(len(x), -1), y.reshape(-1)


def _places(s: Subject, batch) -> np.ndarray:
    """Return which of the example's samples a batch holds."""
    x, _ = _data(s)
    rows = np.asarray(batch[0], "float64").reshape(len(batch[0]), -1)
    same = np.isclose(rows[:, None], x[None], rtol=1e-6, atol=0).all(axis=-1)
    require(same.any(axis=1).all(), "a batch holds a sample that is not among those given")
    return same.argmax(axis=1)


@check("samplers")
def same_seed_same_batches(s: Subject) -> None:
    """Built twice alike, it yields the same batches."""
    for one, other in zip(_epochs(s.make(), EPOCHS), _epochs(s.make(), EPOCHS), strict=True):
        require(_same(one, other), "two samplers with the same arguments yield other batches")


@check("samplers")
def batches_are_read_in_any_order(s: Subject) -> None:
    """A batch depends on its number alone, not on what was read before: workers share the work."""
    forwards, part = _epoch(s.make()), s.make()
    backwards = [tuple(np.array(a) for a in part[i]) for i in reversed(range(len(part)))]
    require(_same(forwards, backwards[::-1]), "reading batches in another order changes them")


@check("samplers")
def steps_outside_an_epoch_are_refused(s: Subject) -> None:
    """No batch is counted from the end, and none comes after the last."""
    part = s.make()
    part.on_epoch_end()  # the epoch before has a batch at -1
    for step in (-1, len(part)):
        try:
            part[step]
        except (ValueError, IndexError) as e:
            require("step" in str(e), f"the error for batch {step} does not name the step: {e}")
        else:
            raise CheckError(f"batch {step} of {len(part)} is a batch of another epoch")


@check("samplers")
def epochs_differ(s: Subject) -> None:
    """After `on_epoch_end` come other batches."""
    first, *later = _epochs(s.make(), EPOCHS)
    require(not all(_same(first, e) for e in later), "every epoch yields the same batches")


@check("samplers")
def targets_stay_with_their_samples(s: Subject) -> None:
    """Each sample comes with its own label."""
    _, y = _data(s)
    for batch in _batches(s.make()):
        labels = np.asarray(batch[1]).reshape(-1)
        require(np.array_equal(y[_places(s, batch)], labels), "a sample comes with another's label")


@check("samplers")
def batches_are_of_one_size(s: Subject) -> None:
    """Every batch has the same shape, so that a compiled step is compiled once."""
    shapes = {tuple(a.shape for a in batch) for batch in _batches(s.make())}
    require(len(shapes) == 1, f"batches have different shapes: {sorted(shapes)}")


@check("samplers")
def every_sample_comes_up(s: Subject) -> None:
    """No sample is left out for good."""
    seen = {int(i) for b in _batches(s.make(), MANY_EPOCHS) for i in _places(s, b)}
    missing = sorted(set(range(len(_data(s)[0]))) - seen)
    require(not missing, f"in {MANY_EPOCHS} epochs the samples {missing} never came up")


@check("samplers")
def pickles(s: Subject) -> None:
    """It can be pickled and goes on alike, as worker processes and tuners need."""
    part = s.make()
    part.on_epoch_end()
    require(_same(_epoch(pickle.loads(pickle.dumps(part))), _epoch(part)), "a copy differs")  # noqa: S301


@check("samplers", variants=(1, 2))
def trains_in_fit(s: Subject, workers: int) -> None:
    """`fit` trains on the batches of one epoch after the other, also with several workers."""
    part = s.make()
    part.workers = workers
    fitted = _model(part)
    fitted.fit(part, epochs=EPOCHS, shuffle=False, verbose=0)
    batches = _batches(s.make(), EPOCHS + 1)
    steps = len(batches) // (EPOCHS + 1)
    # Keras calls `on_epoch_end` before the first epoch as well. Batches that several workers have
    # fetched before that come first; how many, is chance.
    starts = [steps] if workers == 1 else range(steps, 0, -1)
    by_hand = [_by_hand(batches[start : start + EPOCHS * steps]) for start in starts]
    nearest = min(by_hand, key=lambda w: np.abs(w - _weights(fitted)).max())
    close(_weights(fitted), nearest, "weights trained by `fit` and by hand")


def _by_hand(batches) -> np.ndarray:
    model = _model(batches)
    for batch in batches:
        model.train_on_batch(*(a.astype("float32") for a in batch))
    return _weights(model)


def _weights(model) -> np.ndarray:
    return np.concatenate([backend.as_numpy(w).ravel() for w in model.weights])


def _model(part):
    inputs = keras.Input(part[0][0].shape[1:])
    outputs = keras.layers.Dense(1, kernel_initializer="ones")(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.01), "mse", jit_compile=backend.JIT)
    return model


# --- claims -----------------------------------------------------------------------------


@check("samplers", tag="balanced")
def balanced(s: Subject) -> None:
    """Every batch holds equally many of each of its classes, and equally many classes."""
    counts = {
        tuple(np.unique(np.asarray(batch[1]).reshape(-1), return_counts=True)[1].tolist())
        for batch in _batches(s.make())
    }
    require(len(counts) == 1, f"the samples of each class in a batch vary: {sorted(counts)}")
    require(len(set(*counts)) == 1, f"a batch holds more of one class than another: {counts}")
    given = s.make()
    want = (given.samples_per_class,) * given.classes_per_batch
    require(counts == {want}, f"a batch holds {counts}, where {want} was asked for")


@check("samplers", tag="sharded")
def sharded(s: Subject) -> None:
    """Two shards are of one size, disjoint, and together the batch, epoch after epoch."""
    whole = _batches(s.make())
    parts = [_batches(s.make(shard=i, shards=2)) for i in range(2)]
    require(len(parts[0]) == len(parts[1]) == len(whole), "shards have other numbers of batches")
    for batch, one, other in zip(whole, *parts, strict=True):
        require(len(one[0]) == len(other[0]), "shards differ in size")
        places = [np.sort(_places(s, b)) for b in (batch, one, other)]
        together = np.sort(np.concatenate(places[1:]))
        require(np.array_equal(together, places[0]), "the shards together are not the batch")


@check("samplers", tag="resumable")
def resumable(s: Subject) -> None:
    """Begun at `initial_epoch` it yields what it would have come to; `fit` may go on there."""
    part, later = s.make(), s.make(initial_epoch=EPOCHS)
    _epochs(part, EPOCHS)
    require(_same(_epoch(part), _epoch(later)), "begun at a later epoch, it yields other batches")
    whole, parts = _model(part), _model(part)
    whole.fit(s.make(), epochs=EPOCHS + 1, shuffle=False, verbose=0)
    parts.fit(s.make(), epochs=EPOCHS, shuffle=False, verbose=0)
    parts.fit(later, initial_epoch=EPOCHS, epochs=EPOCHS + 1, shuffle=False, verbose=0)
    close(_weights(whole), _weights(parts), "weights after a resumed `fit`")
