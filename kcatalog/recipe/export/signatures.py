"""A SavedModel's signatures: what can be asked of it, by name.

classification: the recipe's raw input -> scores, probabilities, label; also `scores` alone,
    `top_classes`, and `classify`, which reads tf.Examples as TensorFlow Serving's classify does.
next-character: text -> probabilities of the character that comes next; and `step`, the same
    with the recurrent layers' state in and out (`stepwise`).
embedding: the recipe's raw input -> embedding.
forecast: the series' end, raw -> forecast, low, high, each a number per step ahead.

Of images there is also `serving_bytes`, which takes files: PNG, JPEG, BMP, GIF.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import keras

from kcatalog.recipe.data import DataInfo
from kcatalog.recipe.export import serving
from kcatalog.recipe.export.stepwise import Stepwise

DEFAULT = "serving_default"
TOP = 5  # classes named of many
REPLACEMENT = 0xFFFD  # for bytes that are no UTF-8


def write(
    model: keras.Model,
    info: DataInfo,
    folder: Path,
    weights: Callable = contextlib.nullcontext,
    stepwise: Stepwise | None = None,
    dtype: str | None = None,
) -> None:
    """Write a SavedModel.

    Args:
        model: a portable model on the TensorFlow backend (`portable`).
        info: of the data.
        folder: the SavedModel directory to make.
        weights: a context in which the model has other weights than its own (`reduced`).
        stepwise: the model with its state in and out, if it has one.
        dtype: what raw numbers come as, where that is not what the model computes with.
    """
    archive = keras.export.ExportArchive()
    for layer in _without_weights(model):
        archive.track(layer)
    text = info.task == "next-character"
    found = _of_text(model, weights, stepwise) if text else _of_samples(model, info, weights, dtype)
    for name, (function, spec) in found.items():
        archive.add_endpoint(name, function, input_signature=[spec])
    archive.write_out(str(folder), verbose=False)


def _without_weights(model) -> Iterator[keras.layers.Layer]:
    """Layers that may hold tables, which have to be tracked. Weights are found by themselves, and
    tracked as well they would be written twice."""
    for layer in model.layers:
        if not layer.variables:
            yield layer
        elif isinstance(layer, keras.Model):
            yield from _without_weights(layer)


def _of_samples(model, info: DataInfo, weights: Callable, dtype: str | None) -> dict[str, tuple]:
    import tensorflow as tf

    entry = model.inputs[0]
    raw = tf.TensorSpec(entry.shape, dtype or entry.dtype, name=info.input_name)

    @tf.function(input_signature=[raw], autograph=False)
    def answer(x):  # traced once for all signatures
        with weights():
            return serving.named(model(x, training=False), info)

    sized = None not in raw.shape[1:]
    image = info.input_name == "image" and sized and raw.shape[-1] in (1, 3)
    files = tf.TensorSpec([None], tf.string, name="image_bytes")
    if info.task != "classification":
        found = {DEFAULT: (answer, raw)}
        if image:
            found["serving_bytes"] = (lambda b: answer(_decoded(b, raw)), files)
        return found

    classes = tf.constant(info.classes)

    def serve(x):
        answers = answer(x)
        return {**answers, "label": tf.gather(classes, tf.argmax(answers["scores"], axis=-1))}

    def top(x):
        probabilities = answer(x)["probabilities"]
        highest, which = tf.math.top_k(probabilities, min(TOP, len(info.classes)))
        return {"top_labels": tf.gather(classes, which), "top_probabilities": highest}

    def classify(inputs):
        answers = top(_parsed(inputs, raw))
        return {"classes": answers["top_labels"], "scores": answers["top_probabilities"]}

    def serve_bytes(image_bytes):
        answers = top(_decoded(image_bytes, raw))
        first = {
            "label": answers["top_labels"][:, 0],
            "probability": answers["top_probabilities"][:, 0],
        }
        return {**first, **answers}

    found = {
        DEFAULT: (serve, raw),
        "scores": (lambda x: {"scores": answer(x)["scores"]}, raw),
        "top_classes": (top, raw),
    }
    if raw.dtype != tf.string and None not in raw.shape[2:]:
        found["classify"] = (classify, tf.TensorSpec([None], tf.string, name="inputs"))
    if image:
        found["serving_bytes"] = (serve_bytes, files)
    return found


def _of_text(model, weights: Callable, stepwise: Stepwise | None) -> dict[str, tuple]:
    """Texts of different length share a batch: they are padded behind, and as the model is
    causal, the answer at a text's last character does not depend on the padding."""
    import tensorflow as tf

    def read(text):
        text = tf.where(text == "", "\n", text)  # an empty text: the beginning of a line
        codes = tf.strings.unicode_decode(text, "UTF-8", replacement_char=REPLACEMENT)
        lengths = tf.cast(codes.row_lengths(), tf.int32)
        return tf.cast(codes.to_tensor(), model.inputs[0].dtype), lengths

    def at_the_end(scores, lengths):
        last = tf.gather(tf.cast(scores, tf.float32), lengths - 1, axis=1, batch_dims=1)
        return {"probabilities": tf.nn.softmax(last)}

    def serve(text):
        codes, lengths = read(text)
        with weights():
            return at_the_end(model(codes, training=False), lengths)

    def step(inputs):
        codes, lengths = read(inputs["text"])
        with weights():
            scores, after = stepwise(codes, inputs, tf.sequence_mask(lengths))
        return {**at_the_end(scores, lengths), **after}

    text = tf.TensorSpec([None], tf.string, name="text")
    found = {DEFAULT: (serve, text)}
    if stepwise is not None:
        states = {
            name: tf.TensorSpec([None, *shape], tf.float32, name=name)
            for name, shape in stepwise.states.items()
        }
        found["step"] = (step, {"text": text, **states})
    return found


def _decoded(files, raw):
    """Image files as a batch of the raw input's size and type, as Pillow would scale them."""
    import tensorflow as tf

    height, width, channels = raw.shape[1:]

    def decode(content):
        image = tf.io.decode_image(content, 3, expand_animations=False)
        if channels == 1:  # which TensorFlow decodes to from PNG and JPEG alone
            image = tf.image.rgb_to_grayscale(tf.cast(image, tf.float32))
        scaled = tf.image.resize(image, (height, width), "bicubic", antialias=True)
        return tf.cast(tf.clip_by_value(tf.round(scaled), 0, 255), raw.dtype)

    kind = tf.TensorSpec(raw.shape[1:], raw.dtype)
    return tf.map_fn(decode, files, fn_output_signature=kind)


def _parsed(examples, raw):
    """Serialized tf.Examples as the raw input; those of any length are padded with zeros."""
    import tensorflow as tf

    kind = tf.float32 if raw.dtype.is_floating else tf.int64
    shape, any_length = raw.shape[1:], raw.shape[1] is None
    feature = (
        tf.io.FixedLenSequenceFeature(shape[1:], kind, allow_missing=True)
        if any_length
        else tf.io.FixedLenFeature(shape, kind)
    )
    return tf.cast(tf.io.parse_example(examples, {raw.name: feature})[raw.name], raw.dtype)
