"""What the exported model takes and gives: named inputs and outputs, preprocessing inside."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from kcatalog.recipe import keras_file, tasks

REPLACEMENT = 0xFFFD  # for bytes that are no UTF-8


def write(model: keras.Model, facts: dict, folder: Path) -> None:
    """Write a SavedModel whose `serving_default` signature serves the task.

    classification: the recipe's raw input -> scores, probabilities, label.
    next-character: text -> probabilities of the character that comes next.
    embedding: the recipe's raw input -> embedding.

    Args:
        model: a portable model on the TensorFlow backend (see `portable`).
        facts: of the data: task, input_name, classes.
        folder: the SavedModel directory to make.
    """
    endpoint = {
        "classification": _classification,
        "next-character": _next_character,
        "embedding": _embedding,
    }
    archive = keras.export.ExportArchive()
    archive.track(model)
    function, signature = endpoint[facts["task"]](model, facts)
    archive.add_endpoint("serve", function, input_signature=[signature])
    archive.write_out(str(folder), verbose=False)


def portable(model_file: Path) -> keras.Model:
    """The model in a `.keras` file, with no layer bound to the hardware it was trained on.

    Keras's recurrent layers take cuDNN's kernels where a GPU is at hand; a graph with those
    would not run on a CPU. So the file is read as if `use_cudnn=False` had been written.
    """
    return keras_file.load(model_file, change=_without_cudnn)


def request(x: np.ndarray, facts: dict) -> np.ndarray:
    """Raw model inputs as the exported model wants them."""
    if facts["task"] == "next-character":
        return np.array(["".join(map(chr, codes)) for codes in x])
    return x


def expected(outputs: np.ndarray, facts: dict) -> dict[str, np.ndarray]:
    """What the exported model should answer, from the live model's outputs."""
    if facts["task"] == "embedding":
        return {"embedding": outputs}
    if facts["task"] == "next-character":
        return {"probabilities": tasks.probabilities(outputs[:, -1])}
    return {"scores": outputs, "probabilities": tasks.probabilities(outputs)}


def _classification(model, facts: dict):
    import tensorflow as tf

    classes, entry = tf.constant(facts["classes"]), model.inputs[0]

    def serve(x):
        scores = tf.cast(model(x, training=False), tf.float32)
        return {
            "scores": scores,
            "probabilities": tf.nn.softmax(scores),
            "label": tf.gather(classes, tf.argmax(scores, axis=-1)),
        }

    return serve, tf.TensorSpec(entry.shape, entry.dtype, name=facts["input_name"])


def _embedding(model, facts: dict):
    import tensorflow as tf

    entry = model.inputs[0]

    def serve(x):
        return {"embedding": tf.cast(model(x, training=False), tf.float32)}

    return serve, tf.TensorSpec(entry.shape, entry.dtype, name=facts["input_name"])


def _next_character(model, facts: dict):
    """Texts of different length share a batch: they are padded behind, and as the model is
    causal, the answer at a text's last character does not depend on the padding."""
    import tensorflow as tf

    def serve(text):
        text = tf.where(text == "", "\n", text)  # an empty text: the beginning of a line
        codes = tf.strings.unicode_decode(text, "UTF-8", replacement_char=REPLACEMENT)
        last = tf.cast(codes.row_lengths() - 1, tf.int32)
        logits = model(tf.cast(codes.to_tensor(), model.inputs[0].dtype), training=False)
        scores = tf.gather(tf.cast(logits, tf.float32), last, axis=1, batch_dims=1)
        return {"probabilities": tf.nn.softmax(scores)}

    return serve, tf.TensorSpec([None], tf.string, name="text")


def _without_cudnn(config):
    """A configuration whose LSTM and GRU layers do without cuDNN.

    `use_cudnn` is an argument of theirs that their own configuration leaves out.
    """
    if isinstance(config, list):
        return [_without_cudnn(v) for v in config]
    if not isinstance(config, dict):
        return config
    config = {k: _without_cudnn(v) for k, v in config.items()}
    if config.get("class_name") in ("LSTM", "GRU") and config.get("module") == "keras.layers":
        config["config"] = {**config["config"], "use_cudnn": False}
    return config
