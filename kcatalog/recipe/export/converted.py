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
from typing import Any

import keras
import numpy as np
from keras import ops

from kcatalog import quiet
from kcatalog.recipe.data.files import some
from kcatalog.recipe.export.check_export import AFTER
from kcatalog.recipe.export.original import Original
from kcatalog.recipe.export.stepwise import Refused, Stepwise

OPSET = 18
LONGEST = 256  # steps that are unrolled
CALIBRATION = 200  # training samples that determine the ranges of full int8
TEXTS = 8  # the same for windows of a text, each character of which is a sample


def onnx(original: Original, file: Path, kind: str = "float32") -> dict[Any, Any]:
    """Write an ONNX file with any batch size and sequences of any length."""
    from onnx import defs, helper
    from onnx import load as load_onnx
    from onnx import save as save_onnx

    model = numeric(original)
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # errors are raised below
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from tf2onnx
        model.export(
            str(file),
            format="onnx",
            opset_version=OPSET,
            input_signature=_signature(model, batch=None),
            verbose=False,
        )
    written = load_onnx(file)
    unknown = {n.op_type for n in written.graph.node if not defs.has(n.op_type, n.domain)}
    if unknown:
        raise Refused(f"ONNX has no operation {', '.join(sorted(unknown))}, which the model needs")
    extra = {entry.name for entry in written.graph.input} - {x.name for x in model.inputs}
    if extra:
        names = ", ".join(sorted(extra))
        raise Refused(f"tf2onnx mistakes constants of the model for inputs: {names}")
    helper.set_model_props(written, {"classes": json.dumps(original.info.classes)})
    save_onnx(written, file)
    return {"opset": OPSET}


def litert(original: Original, file: Path, kind: str = "float32") -> dict[Any, Any]:
    """Write a LiteRT file with weights in "float32", "float16" or "dynamic_int8", or computing in
    "int8"."""
    import tensorflow as tf

    model, shape = numeric(original, unroll=kind == "int8"), original.info.input_shape
    if kind == "int8" and _loops(model, shape):
        raise Refused("its converter crashes on loops, and the model has one")
    builtins = "TFLITE_BUILTINS_INT8" if kind == "int8" else "TFLITE_BUILTINS"
    settings: dict[Any, Any] = {
        "target_spec": {"supported_ops": [getattr(tf.lite.OpsSet, builtins)]}
    }
    if kind == "float16":
        settings["target_spec"]["supported_types"] = [tf.float16]
    if kind != "float32":
        settings["optimizations"] = [tf.lite.Optimize.DEFAULT]
    if kind == "int8":
        settings["representative_dataset"] = lambda: _representative(original, model)
    signature = _signature(model, 1, shape)
    with warnings.catch_warnings(), quiet.without_information():
        warnings.simplefilter("ignore")  # the converter announces its deprecation
        model.export(
            str(file), format="litert", input_signature=signature, verbose=False, **settings
        )
    return {}


def numeric(original: Original, unroll: bool = False) -> keras.Model:
    """Return the model with named numeric inputs and outputs; if asked, without recurrent loops."""
    if original.task.generates:
        if not original.states:
            raise Refused("text models are converted step by step, and this one has no `step`")
        return _one_step(Stepwise(original.portable(steps=1)))
    model = original.portable()
    if model.inputs[0].dtype == "string":
        raise Refused("the format has no text input, which the model needs")
    if unroll:
        length = original.info.input_shape[0]
        recurrent = (keras.layers.RNN, keras.layers.Bidirectional)
        sequences = [x.input for x in model.layers if isinstance(x, recurrent)]
        longest = max((keras.tree.flatten(x)[0].shape[1] or length for x in sequences), default=0)
        if longest > LONGEST:
            raise Refused(
                f"its converter needs unrolled recurrent layers, of up to {LONGEST} steps; "
                f"these have {longest}"
            )
        model = original.portable(steps=length)
    entry = model.inputs[0]
    for layer in model.layers:  # tf2onnx mistakes tensors for inputs
        if isinstance(layer, keras.layers.Normalization):
            layer.mean, layer.variance = map(ops.convert_to_numpy, (layer.mean, layer.variance))
    raw = keras.Input(entry.shape[1:], dtype=original.dtype, name=entry.name)
    # without `training=False`, Keras exports a model to ONNX whose augmentation layers augment
    return keras.Model(raw, original.task.named(model(raw, training=False)))


class _OneStep(keras.layers.Layer):
    """Layer from a character's code and states to the next character's probabilities and states."""

    def __init__(self, stepwise: Stepwise):
        super().__init__()
        self.stepwise = stepwise

    def call(self, inputs):
        codes = ops.expand_dims(inputs["character"], 1)
        outputs, after = self.stepwise(codes, inputs)
        return {"probabilities": ops.softmax(ops.cast(outputs[:, 0], "float32")), **after}


def _one_step(stepwise: Stepwise) -> keras.Model:
    inputs = {"character": keras.Input((), dtype="int32", name="character")}
    inputs |= {name: keras.Input(shape, name=name) for name, shape in stepwise.states.items()}
    return keras.Model(inputs, _OneStep(stepwise)(inputs))


def _signature(
    model: keras.Model, batch: int | None, shape: tuple[Any, ...] | None = None
) -> list[Any]:
    """Return the input signature for `keras.Model.export`; an input with open axes gets `shape`."""
    specs = {}
    for x in model.inputs:
        own = x.shape[1:]
        sample = shape if shape and None in own else own
        specs[x.name] = keras.InputSpec(shape=(batch, *sample), dtype=x.dtype, name=x.name)
    return [specs] if len(specs) > 1 else list(specs.values())


def operations(function) -> set[str]:
    """Return the types of all operations in a concrete function and the functions it calls."""
    graph = function.graph.as_graph_def()
    return {n.op for n in graph.node} | {n.op for f in graph.library.function for n in f.node_def}


def _loops(model: keras.Model, shape: tuple[Any, ...]) -> bool:
    """Return whether the model's graph has a loop."""
    import tensorflow as tf

    tensors = keras.tree.map_structure(
        lambda spec: tf.TensorSpec(spec.shape, spec.dtype, spec.name), _signature(model, 1, shape)
    )
    graph = tf.function(model, autograph=False).get_concrete_function(*tensors)
    return bool(operations(graph) & {"While", "StatelessWhile"})


def _representative(original: Original, model: keras.Model) -> Iterator[dict[Any, Any]]:
    """Yield inputs one by one for calibration; the states are those of reading a text."""
    if not original.task.generates:
        (name,) = (x.name for x in model.inputs)
        samples, _ = some(*original.data.train, CALIBRATION)
        yield from ({name: samples[i][None]} for i in range(len(samples)))
        return
    windows = np.asarray(some(*original.data.train, TEXTS)[0], "int32")
    states = {x.name: np.zeros((len(windows), *x.shape[1:]), "float32") for x in model.inputs}
    del states["character"]
    for codes in windows.T:
        x = {"character": codes, **states}
        for row in range(len(windows)):
            yield {name: values[row : row + 1] for name, values in x.items()}
        answer = model(x)
        states = {name: ops.convert_to_numpy(answer[AFTER + name]) for name in states}
