"""Files for TensorFlow Serving beside the graph: warm-up requests and its configuration."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from kcatalog.recipe.data import DataInfo
from kcatalog.recipe.files import disk

WARM_UP = Path("assets.extra") / "tf_serving_warmup_requests"
BATCH = 8  # samples in the one batch request
KEPT = 2  # versions that are served: the newest, and one to go back to
PACKAGE = "tensorflow-serving-api"


def available() -> bool:
    """Return whether the package with TensorFlow Serving's message types is installed."""
    return importlib.util.find_spec("tensorflow_serving") is not None


def write_warm_up(
    folder: Path, recipe: str, signatures: dict, requests: np.ndarray, info: DataInfo
) -> Path:
    """Write warm-up requests with real samples: one for each signature, and one with a batch.

    Args:
        folder: the SavedModel's folder.
        recipe: the name of the served model.
        signatures: name -> inputs and outputs -> name -> [dtype, shape].
        requests: samples.
        info: of the data.
    """
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    file = folder / WARM_UP
    file.parent.mkdir()
    with tf.io.TFRecordWriter(str(file)) as writer:
        for name, size in [*((name, 1) for name in signatures), ("serving_default", BATCH)]:
            request = predict_pb2.PredictRequest()
            request.model_spec.name, request.model_spec.signature_name = recipe, name
            for key, value in _inputs(signatures[name]["inputs"], requests[:size], info).items():
                request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
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


def _inputs(specs: dict, samples: np.ndarray, info: DataInfo) -> dict:
    """Return a signature's inputs, made from samples; states are zeros."""
    made = {
        "image_bytes": lambda: [_png(image) for image in samples],
        "inputs": lambda: [_example(info.input_name, sample) for sample in samples],
        "text": lambda: [text[-64:] for text in samples],
        info.input_name: lambda: samples,
    }
    return {
        name: made[name]() if name in made else np.zeros((len(samples), *shape[1:]), dtype)
        for name, (dtype, shape) in specs.items()
    }


def _png(image: np.ndarray) -> bytes:
    import tensorflow as tf

    return tf.io.encode_png(image.astype("uint8")).numpy()


def _example(name: str, sample: np.ndarray) -> bytes:
    import tensorflow as tf

    values = np.ravel(sample).tolist()
    kinds = {"i": "int64_list", "u": "int64_list", "f": "float_list"}
    feature = tf.train.Feature(**{kinds[sample.dtype.kind]: {"value": values}})
    features = tf.train.Features(feature={name: feature})
    return tf.train.Example(features=features).SerializeToString()
