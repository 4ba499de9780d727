"""Input pipelines: samples from memory, or decoded in parallel ahead of the steps.

Every batch is found by its number (`kcatalog.recipe.feed.batches`), so `tf.data` may fetch many at
once and still hand them over in order: what a run learns does not depend on how many threads read.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from kcatalog import training
from kcatalog.recipe import devices
from kcatalog.recipe.data.base import tensorflow
from kcatalog.recipe.data.files import Files
from kcatalog.recipe.feed.batches import InOrder, evaluation_size
from kcatalog.recipe.feed.input_stalls import Waiting
from kcatalog.recipe.terminal import stopping
from kcatalog.recipe.terminal.errors import RecipeError


def fit(model, data, batches, callbacks: list[Any], waiting: Waiting | None = None, **how):
    """Keras's `fit` on these batches, with the validation part of `data`.

    Args:
        model: a compiled model.
        data: what it learns from.
        batches: of the training part (`batches_of`).
        callbacks: further ones.
        waiting: measures how long steps wait for their batch.
        how: further arguments of Keras's `fit`.
    """
    (x, y), size = data.validation, evaluation_size(data.validation[0])
    with _errors() as errors:
        return training.attach(model).fit(
            feed(batches, errors, waiting),
            validation_data=feed(InOrder(x, y), errors),
            shuffle=False,
            callbacks=[
                *devices.callbacks(len(x), size),
                batches.shuffling(),
                keras.callbacks.LambdaCallback(on_train_batch_begin=_stop_if_asked),
                *callbacks,
                *([waiting] if waiting else []),
            ],
            **how,
        )


def _stop_if_asked(batch, logs=None) -> None:
    stopping.raise_again()


def predict(model, x) -> np.ndarray:
    """Return a model's outputs for samples, in memory or on disk."""
    with _errors() as errors:
        return model.predict(feed(InOrder(x), errors), verbose=0)


def evaluate(model, x, y) -> dict[str, float]:
    """Return a model's loss and metrics on samples, in memory or on disk."""
    with _errors() as errors:
        return model.evaluate(feed(InOrder(x, y), errors), verbose=0, return_dict=True)


def feed(batches, errors: list[Any], waiting: Waiting | None = None):
    """Return what Keras takes: `tf.data` for files, for float64, which Keras rounds, and on
    TensorFlow for all arrays, where it is the fastest. Other backends need no detour through it."""
    x = batches.x
    if isinstance(x, Files) or x.dtype == np.float64 or keras.backend.backend() == "tensorflow":
        dataset = stream(batches, errors)
        return waiting.measure(dataset) if waiting else dataset
    return batches


def stream(batches, errors: list[Any]):
    """Return a `tf.data.Dataset` of batches, fetched in parallel ahead of time, in order.

    Args:
        batches: a `PyDataset`; the threads call its `__getitem__`.
        errors: gets what is raised there, since TensorFlow hands on no more than its text.
    """
    tf = tensorflow()
    smaller = isinstance(batches, InOrder)  # the last one may be
    specs = [((None if smaller else len(a), *a.shape[1:]), a.dtype) for a in batches[0]]

    def fetch(step):
        try:
            return batches[int(step)]
        except RecipeError as e:
            errors.append(e)
            raise

    def batch(step):
        arrays = tf.numpy_function(fetch, [step], [dtype for _, dtype in specs])
        return tuple(tf.ensure_shape(a, shape) for a, (shape, _) in zip(arrays, specs, strict=True))

    with tf.device("CPU:0"):
        steps, at_once = tf.data.Dataset.range(len(batches)), os.cpu_count()
        fetched = steps.map(batch, num_parallel_calls=at_once, deterministic=True)
        options = tf.data.Options()
        # one more than fetch: what measures the waiting must not wait for a thread itself
        options.threading.private_threadpool_size = at_once + 1
        return fetched.prefetch(tf.data.AUTOTUNE).with_options(options)


@contextlib.contextmanager
def _errors() -> Iterator[list[RecipeError]]:
    """Errors out of TensorFlow's threads: raised as what they were there."""
    errors: list[RecipeError] = []
    try:
        yield errors
    except Exception as e:
        if errors:
            raise errors[0] from e
        raise
