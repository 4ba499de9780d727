"""Statistics of batch normalization layers, computed anew from data."""

import contextlib
import itertools
from typing import Any

import keras
import numpy as np

from kcatalog import checks
from kcatalog.callbacks import periodic


def reestimate_batch_norm(
    model: keras.Model, data: Any, steps: int | None = None, batch_size: int = 32
) -> int:
    """Set the moving statistics of all `BatchNormalization` layers to those of the data.

    The model sees the data as in training: each batch is normalized by its own statistics, and
    dropout is active. A layer's mean and variance become those of all that it was given: `μ` is
    the mean of the batches' means `μ_b`, weighted by their samples, and `σ²` that of
    `σ_b² + (μ_b - μ)²`. Nothing else changes: weights, seeds and other states are put back.
    Layers that are frozen, and thus normalize by their moving statistics, keep them.

    Args:
        model: a model of any kind.
        data: a dataset or another iterable of batches `x`, `(x, y)` or `(x, y, sample_weight)`,
            of which `x` is used, or a tuple of arrays of these, or the array `x`.
        steps: how many batches to use; None for all.
        batch_size: the size of batches where arrays are given. The one of training fits best.

    Returns:
        The number of layers with new statistics.

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.BatchNormalization()])
    >>> reestimate_batch_norm(model, np.array([[1.0], [2.0], [6.0]]), batch_size=2)
    1
    >>> mean, variance = model.layers[0].moving_mean, model.layers[0].moving_variance
    >>> float(mean[0]), round(float(variance[0]), 4)
    (3.0, 4.6667)
    """
    batches = itertools.islice(_batches(data, batch_size), steps)
    first = next(batches, None)
    if first is None:
        rule, fix = "a dataset with at least one batch", "An iterator that was read is empty."
        raise checks.error("reestimate_batch_norm", "data", rule, data, fix)
    if not model.built:
        model(first, training=False)
    layers = [b for b in batch_norms(model) if b.built and b.trainable]
    moments = [_Moments(layer) for layer in layers]
    if layers:
        with _state_kept(model), _batch_by_batch(layers):
            for x in itertools.chain([first], batches):
                model(x, training=True)
                samples = keras.tree.flatten(x)[0].shape[0]
                for each in moments:
                    each.count(samples)
    for each in moments:
        each.assign()
    return len(layers)


def batch_norms(model: keras.Model) -> list[keras.layers.Layer]:
    """Return all `BatchNormalization` layers in a model, those inside of other layers too."""
    found, seen = [], {}

    def search(thing):
        if id(thing) in seen:
            return
        seen[id(thing)] = thing
        if isinstance(thing, keras.layers.BatchNormalization):
            found.append(thing)
        if isinstance(thing, keras.Layer):
            for inside in (getattr(thing, "layers", None), *list(vars(thing).values())):
                search(inside)
        elif isinstance(thing, list | tuple | set):
            for inside in list(thing):
                search(inside)
        elif isinstance(thing, dict):
            search(list(thing.values()))

    search(model)
    return found


class _Moments:
    """Mean and variance of what a layer was given, from what its last batch left in it."""

    def __init__(self, layer):
        self._layer, self._samples = layer, 0
        for variable, start in ((layer.moving_mean, 0.0), (layer.moving_variance, 1.0)):
            value = keras.ops.convert_to_numpy(variable)
            if not np.isfinite(value).all():  # 0 times NaN is NaN
                variable.assign(np.full(value.shape, start))

    def count(self, samples):
        """Add the statistics of a batch of so many samples, by Chan's rule."""
        mean, variance = _value(self._layer.moving_mean), _value(self._layer.moving_variance)
        if not self._samples:
            self._mean, self._squares = np.zeros_like(mean), np.zeros_like(mean)
        before, self._samples = self._samples, self._samples + samples
        share, away = samples / self._samples, mean - self._mean
        self._mean = self._mean + share * away
        self._squares = self._squares + samples * variance + before * share * away**2

    def assign(self):
        self._layer.moving_mean.assign(self._mean)
        self._layer.moving_variance.assign(self._squares / self._samples)


def _value(variable):
    return np.asarray(keras.ops.convert_to_numpy(variable), "float64")


@contextlib.contextmanager
def _state_kept(model):
    """Put back what a call of the model changes, at the end or after an error."""
    variables = model.non_trainable_variables
    before = [np.array(keras.ops.convert_to_numpy(v)) for v in variables]
    try:
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)


@contextlib.contextmanager
def _batch_by_batch(layers):
    """Let moving statistics hold those of the last batch alone."""
    momenta = [layer.momentum for layer in layers]
    try:
        for layer in layers:
            layer.momentum = 0.0
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum


def checked_data(owner: object, data: Any, optional: bool = False) -> Any:
    """Refuse data of which no batches can be read, or only once."""
    readable = isinstance(data, dict | keras.utils.PyDataset) or hasattr(data, "__iter__")
    once = hasattr(data, "__next__") or isinstance(data, str)
    if (data is None and optional) or (readable and not once):
        return data
    rule = "an array, a tuple of arrays, or a dataset that can be read again"
    raise checks.error(owner, "data", rule, data, "For example: (x_train, y_train).")


def _batches(data, batch_size):
    """Yield the inputs `x` of each batch."""
    if isinstance(data, tuple | dict) or hasattr(data, "shape"):
        x = data[0] if isinstance(data, tuple) else data
        x = periodic.as_arrays(x)
        for start in range(0, len(keras.tree.flatten(x)[0]), batch_size):
            rows = slice(start, start + batch_size)
            yield keras.tree.map_structure(lambda a, rows=rows: a[rows], x)
        return
    if isinstance(data, keras.utils.PyDataset):
        data = (data[i] for i in range(len(data)))
    for batch in data:
        x, _, _ = keras.utils.unpack_x_y_sample_weight(batch)
        yield keras.tree.map_structure(keras.ops.convert_to_tensor, x)
