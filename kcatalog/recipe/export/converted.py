"""LiteRT and ONNX files. Their inputs and outputs are numbers; the manifest names the classes.

A text model is converted as its `step`: a character's code and the states in, probabilities and
the states out. LiteRT files take one sample of a fixed length, because the converter needs static
shapes. In full int8 it cannot convert loops either.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
from keras import ops

from kcatalog.recipe.export.numeric import Original
from kcatalog.recipe.export.portable import operations
from kcatalog.recipe.export.stepwise import AFTER, Refused

OPSET = 18
CALIBRATION = 200  # training samples that determine the ranges of full int8
TEXTS = 8  # the same for windows of a text, each character of which is a sample
LITERT = ("litert", "litert_float16", "litert_dynamic_int8", "litert_int8")


def onnx(original: Original, file: Path) -> dict:
    """Write an ONNX file with any batch size and sequences of any length."""
    from onnx import defs, helper
    from onnx import load as load_onnx
    from onnx import save as save_onnx

    model, shapes = original.numeric(fixed=False)
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # errors are raised below
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from tf2onnx
        model.export(
            str(file),
            format="onnx",
            opset_version=OPSET,
            input_signature=_specs(model, shapes, batch=None),
            verbose=False,
        )
    written = load_onnx(file)
    unknown = {n.op_type for n in written.graph.node if not defs.has(n.op_type, n.domain)}
    if unknown:
        raise Refused(f"ONNX has no operation {', '.join(sorted(unknown))}, which the model needs")
    taken = {entry.name for entry in written.graph.input}
    if taken != shapes.keys():
        extra = ", ".join(sorted(taken - shapes.keys()))
        raise Refused(f"tf2onnx mistakes constants of the model for inputs: {extra}")
    helper.set_model_props(written, {"classes": json.dumps(original.info.classes)})
    save_onnx(written, file)
    return {"opset": OPSET, "format": "ONNX"}


def litert(original: Original, file: Path, kind: str) -> dict:
    """Write a LiteRT file of a kind in `LITERT`."""
    import tensorflow as tf

    full = kind == "litert_int8"
    model, shapes = original.numeric(fixed=True)
    specs = _specs(model, shapes, batch=1)
    if full and _loops(model, specs):
        model, shapes = original.numeric(fixed=True, unroll=True)
        if _loops(model, specs):
            raise Refused("its converter crashes on loops, and the model has one")
    builtins = tf.lite.OpsSet.TFLITE_BUILTINS_INT8 if full else tf.lite.OpsSet.TFLITE_BUILTINS
    settings: dict = {"target_spec": {"supported_ops": [builtins]}}
    if kind == "litert_float16":
        settings["target_spec"]["supported_types"] = [tf.float16]
    if kind != "litert":
        settings["optimizations"] = [tf.lite.Optimize.DEFAULT]
    if full:
        settings["representative_dataset"] = lambda: _representative(original, model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the converter announces its deprecation
        model.export(str(file), format="litert", input_signature=specs, verbose=False, **settings)
    return {"format": "LiteRT"}


def _specs(model: keras.Model, shapes: dict, batch: int | None) -> list:
    """Return the input signature for `keras.Model.export`."""
    specs = {
        x.name: keras.InputSpec(shape=(batch, *shapes[x.name]), dtype=x.dtype, name=x.name)
        for x in model.inputs
    }
    return [specs] if len(specs) > 1 else list(specs.values())


def _loops(model: keras.Model, specs: list) -> bool:
    """Return whether the model's graph has a loop."""
    import tensorflow as tf

    tensors = [keras.tree.map_structure(_tensor, spec) for spec in specs]
    graph = tf.function(model, autograph=False).get_concrete_function(*tensors)
    return bool(operations(graph) & {"While", "StatelessWhile"})


def _tensor(spec: keras.InputSpec):
    import tensorflow as tf

    return tf.TensorSpec(spec.shape, spec.dtype, name=spec.name)


def _representative(original: Original, model: keras.Model) -> Iterator[dict]:
    """Yield inputs one by one for calibration; the states are those of reading a text."""
    if not original.task.generates:
        (name,) = (x.name for x in model.inputs)
        yield from ({name: original.samples[i][None]} for i in _drawn(original, CALIBRATION))
        return
    windows = np.stack([original.samples[i] for i in _drawn(original, TEXTS)]).astype("int32")
    states = {x.name: np.zeros((len(windows), *x.shape[1:]), "float32") for x in model.inputs}
    del states["character"]
    for codes in windows.T:
        x = {"character": codes, **states}
        for row in range(len(windows)):
            yield {name: values[row : row + 1] for name, values in x.items()}
        answer = model(x)
        states = {name: ops.convert_to_numpy(answer[AFTER + name]) for name in states}


def _drawn(original: Original, count: int) -> np.ndarray:
    """Return indices of random samples, because samples may be sorted by class."""
    found = len(original.samples)
    return np.random.default_rng(0).choice(found, min(count, found), replace=False)
