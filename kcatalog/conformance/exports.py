"""Checks for layers as LiteRT and ONNX files, which Keras's `Model.export` writes."""

from __future__ import annotations

import importlib
import logging
import os
import tempfile
import warnings
from typing import Any

import keras
import numpy as np

from kcatalog import quiet, registry
from kcatalog.conformance import backend
from kcatalog.conformance.exercise import all_steps, as_layer, build
from kcatalog.conformance.subject import CheckSkipped, Subject, close
from kcatalog.conformance.suite import check

OPSET = 18  # of ONNX


def _tried(name: str):
    """Return whether to convert a layer: a recurrent one, or one whose card says that it fails."""

    def tried(s: Subject) -> bool:
        recurrent = "recurrent" in s.tags and not _is_tried_in_its_layer(s)
        return backend.NAME == "tensorflow" and (recurrent or name in s.card.exemptions)

    return tried


def _is_tried_in_its_layer(s: Subject) -> bool:
    """Return True for a cell with a layer of its own, such as LayerNormLSTMCell."""
    layers = {e.name for e in registry.find(kind="layers")}
    return any(s.cls.__name__ == f"{layer}Cell" for layer in layers)


def _module(name: str):
    try:
        return importlib.import_module(name)
    except ImportError:
        raise CheckSkipped(f"{name} is not installed") from None


def _any_length(s: Subject) -> bool:
    return "recurrent" in s.tags and not s.adapted


def _model(s: Subject):
    """The example layer with random weights; a recurrent one takes any number of steps."""
    layer = as_layer(s, s.make(**all_steps(s)))
    build(s, layer)
    rng = s.rng()
    for v in layer.trainable_variables:
        v.assign(backend.as_numpy(v) + 0.1 * rng.normal(size=v.shape))
    shape = (None, *s.input_shape[1:]) if _any_length(s) else s.input_shape
    inputs = keras.Input(shape, name="input")
    return keras.Model(inputs, layer(inputs))


def _export(model, file: str, shape: tuple[Any, ...], **options):
    """Write a file for inputs of this shape, without the converters' messages."""
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # errors are raised
    spec = keras.InputSpec(shape=shape, dtype="float32", name="input")
    with warnings.catch_warnings(), quiet.without_information():
        warnings.simplefilter("ignore")
        model.export(file, input_signature=[spec], verbose=False, **options)


@check("layers", when=_tried("litert_equal"), slow=True)
def litert_equal(s: Subject) -> None:
    """Converted to LiteRT without TensorFlow's operators, it gives equal outputs for one sample."""
    import tensorflow as tf

    litert = _module("ai_edge_litert.interpreter")
    model, x = _model(s), s.inputs(batch=1)
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "model.tflite")
        builtin = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
        _export(model, file, x.shape, format="litert", target_spec=builtin)
        with open(file, "rb") as opened:
            interpreter = litert.Interpreter(model_content=opened.read())
    interpreter.allocate_tensors()
    (entry,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.set_tensor(entry["index"], x)
    interpreter.invoke()
    close(interpreter.get_tensor(result["index"]), backend.as_numpy(model(x)), "run by LiteRT")


@check("layers", when=_tried("onnx_equal"), slow=True)
def onnx_equal(s: Subject) -> None:
    """Converted to ONNX, it gives equal outputs for any batch size and number of steps."""
    _module("tf2onnx")
    onnxruntime = _module("onnxruntime")
    model, x = _model(s), s.inputs()
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "model.onnx")
        _export(model, file, model.input_shape, format="onnx", opset_version=OPSET)
        session = onnxruntime.InferenceSession(file)
    longer = np.concatenate([x, x[:, :2]], axis=1)[:2] if _any_length(s) else x[:2]
    for batch in (x, longer):
        (y,) = session.run(None, {"input": batch})
        close(y, backend.as_numpy(model(batch)), f"run by ONNX Runtime on shape {batch.shape}")
