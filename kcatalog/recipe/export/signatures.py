"""A SavedModel's signatures. `Task.signatures` lists them; this module gives them their inputs."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras

from kcatalog.recipe.data import DataInfo, inputs
from kcatalog.recipe.export.decoding import decoded
from kcatalog.recipe.export.stepwise import Stepwise
from kcatalog.recipe.tasks import Task


def write(
    model: keras.Model,
    task: Task,
    info: DataInfo,
    folder: Path,
    weights: Callable[..., Any] = contextlib.nullcontext,
    stepwise: Stepwise | None = None,
    dtype: str | None = None,
) -> dict[str, list[Any]]:
    """Write a SavedModel. Returns the inputs' specifications by signature.

    Args:
        model: a portable model on the TensorFlow backend (`portable`).
        task: names the signatures and the outputs.
        info: of the data.
        folder: the SavedModel directory to make.
        weights: a context in which the model has other weights than its own (`reduced`).
        stepwise: the model with its state in and out, if it has one.
        dtype: the type of raw numbers, if the model does not compute with it.
    """
    archive, specs = keras.export.ExportArchive(), {}
    for layer in (*_without_weights(model), *info.details.tables):
        archive.track(layer)
    served = Served(model, task, info, weights, stepwise, dtype)
    found = task.signatures(served, info)
    for name, signature in {**found, **info.details.signatures(found)}.items():
        if signature is not None:
            function, spec = signature
            archive.add_endpoint(name, function, input_signature=[spec])
            specs[name] = keras.tree.flatten(spec)
    archive.write_out(str(folder), verbose=False)
    return specs


def _without_weights(model) -> Iterator[keras.layers.Layer]:
    """Yield layers that may hold tables, which have to be tracked. Keras finds weights by itself,
    and would write those of tracked layers twice."""
    for layer in model.layers:
        if not layer.variables:
            yield layer
        elif isinstance(layer, keras.Model):
            yield from _without_weights(layer)


class Served:
    """A model inside the graph, for `Task.signatures` to build functions with.

    Called, it returns the model's outputs. `raw` is the TensorSpec of its input, and `answer` a
    function from the raw input to the named outputs, traced once for all signatures. `of_raw`,
    `of_images` and `of_examples` make signatures of functions of the raw input; the last two
    return None where the input is no image, or cannot be a tf.Example. `step` and `states` belong
    to a model that takes its state as an input (`Stepwise`).
    """

    def __init__(
        self, model, task: Task, info: DataInfo, weights: Callable[..., Any], stepwise, dtype
    ):
        import tensorflow as tf

        self._model, self._task, self._weights, self._stepwise = model, task, weights, stepwise
        entry = model.inputs[0]
        self.raw = tf.TensorSpec(entry.shape, dtype or entry.dtype, name=info.input_name)
        self.states = {
            name: tf.TensorSpec([None, *shape], tf.float32, name=name)
            for name, shape in (stepwise.states if stepwise else {}).items()
        }
        self._info, self._entry = info, info.details.entry(self.raw)
        self._image = inputs.kind(info.input_name).image

    def __call__(self, x):
        with self._weights():
            return self._model(x, training=False)

    def step(self, *args) -> tuple[Any, ...]:
        """Return the outputs of each step and the states after the last (`Stepwise`)."""
        with self._weights():
            return self._stepwise(*args)

    @functools.cached_property
    def answer(self) -> Callable[..., Any]:
        import tensorflow as tf

        def answer(x):
            return self._task.named(self(x))

        return tf.function(answer, input_signature=[self.raw], autograph=False)

    def of_raw(self, function: Callable[..., Any]) -> tuple[Any, ...]:
        """Return a signature that takes the raw input, or the form in which requests carry it."""
        if self._entry is None:
            return function, self.raw
        spec, read = self._entry
        return lambda x: function(read(x)), spec

    def of_images(self, function: Callable[..., Any]) -> tuple[Any, ...] | None:
        """Return a signature that takes files: PNG, JPEG, BMP, GIF."""
        import tensorflow as tf

        if not self._image or None in self.raw.shape[1:] or self.raw.shape[-1] not in (1, 3):
            return None
        files = tf.TensorSpec([None], tf.string, name="image_bytes")
        return lambda image_bytes: function(decoded(image_bytes, self.raw, self._info)), files

    def of_examples(self, function: Callable[..., Any]) -> tuple[Any, ...] | None:
        """Return a signature that takes serialized tf.Examples."""
        import tensorflow as tf

        if self._entry or self.raw.dtype == tf.string or None in self.raw.shape[2:]:
            return None
        examples = tf.TensorSpec([None], tf.string, name="inputs")
        return lambda inputs: function(_parsed(inputs, self.raw)), examples


def _parsed(examples, raw):
    """Parse serialized tf.Examples as the raw input; variable lengths are padded with zeros."""
    import tensorflow as tf

    kind = tf.float32 if raw.dtype.is_floating else tf.int64
    shape, any_length = raw.shape[1:], raw.shape[1] is None
    feature = (
        tf.io.FixedLenSequenceFeature(shape[1:], kind, allow_missing=True)
        if any_length
        else tf.io.FixedLenFeature(shape, kind)
    )
    return tf.cast(tf.io.parse_example(examples, {raw.name: feature})[raw.name], raw.dtype)
