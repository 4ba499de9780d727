"""Files for TensorFlow Serving beside the graph: warm-up requests and its configuration.

Both need the message types of the package tensorflow-serving-api, and are left out without it.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from kcatalog.recipe.files import disk

WARM_UP = Path("assets.extra") / "tf_serving_warmup_requests"
BATCH = 8  # samples in the one batch request
KEPT = 2  # versions that are served: the newest, and one to go back to


def available() -> bool:
    """Return whether the package with TensorFlow Serving's message types is installed."""
    return importlib.util.find_spec("tensorflow_serving") is not None


def write_warm_up(
    folder: Path,
    recipe: str,
    signatures: dict[str, list[Any]],
    requests: np.ndarray,
    input_name: str,
) -> Path:
    """Write warm-up requests with real samples: one for each signature, and one with a batch.

    Args:
        folder: the SavedModel's folder.
        recipe: the name of the served model.
        signatures: the inputs' specifications by signature.
        requests: samples.
        input_name: the name of the model's input.
    """
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    file = folder / WARM_UP
    file.parent.mkdir()
    with tf.io.TFRecordWriter(str(file)) as writer:
        for name, size in [*((name, 1) for name in signatures), ("serving_default", BATCH)]:
            request = predict_pb2.PredictRequest()
            request.model_spec.name, request.model_spec.signature_name = recipe, name
            for spec in signatures[name]:
                value = _input(spec, requests[:size], input_name)
                request.inputs[spec.name].CopyFrom(tf.make_tensor_proto(value))
            log = prediction_log_pb2.PredictLog(request=request)
            writer.write(prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString())
    return file


def write_config(versions: Path, recipe: str) -> None:
    """Write `models.config` beside the versions, for `--model_config_file`, unless it exists."""
    file = versions / "models.config"
    if file.exists() or not available():
        return
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    server = model_server_config_pb2.ModelServerConfig()
    model = server.model_config_list.config.add(
        name=recipe, base_path=f"/models/{recipe}", model_platform="tensorflow"
    )
    model.model_version_policy.latest.num_versions = KEPT
    with disk.atomic_write(file) as beside:
        beside.write_text(text_format.MessageToString(server), encoding="utf-8")


def _input(spec, samples: np.ndarray, input_name: str):
    """Return samples as an input of a signature; states are zeros."""
    import tensorflow as tf

    if spec.name == "image_bytes":
        return [tf.io.encode_png(image.astype("uint8")).numpy() for image in samples]
    if spec.name == "inputs":
        return [_example(input_name, sample) for sample in samples]
    if spec.name == "text":
        return [text[-64:] for text in samples]
    if spec.name == input_name:
        return samples
    if spec.dtype == tf.string:  # a column of a table
        return [""] * len(samples)
    return np.zeros((len(samples), *spec.shape[1:]), spec.dtype.as_numpy_dtype)


def _example(name: str, sample: np.ndarray) -> bytes:
    import tensorflow as tf

    kind = "float_list" if sample.dtype.kind == "f" else "int64_list"
    feature = tf.train.Feature(**{kind: {"value": np.ravel(sample).tolist()}})
    features = tf.train.Features(feature={name: feature})
    return tf.train.Example(features=features).SerializeToString()
