"""LiteRT and ONNX files: they take and give numbers; what the classes are called says the manifest.

A text model becomes its `step`: a character's code and the state in, probabilities and the
state out. LiteRT files take one sample at a time and sequences of one length: its converter
wants static shapes, and full int8 no loop either.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import ops

from kcatalog.recipe.export import serving
from kcatalog.recipe.export.portable import operations, portable, unrolled
from kcatalog.recipe.export.stepwise import Refused, Stepwise

OPSET = 18
LONGEST = 256  # steps that are written out one by one
CALIBRATION = 200  # training samples that full int8 takes its ranges from
LITERT = ("litert", "litert_float16", "litert_dynamic_int8", "litert_int8")


@dataclass(frozen=True)
class Original:
    """What is converted.

    Args:
        file: the trained model.
        facts: of the data.
        samples: some of the training part's.
        stepwise: whether the model goes step by step.
    """

    file: Path
    facts: dict
    samples: np.ndarray
    stepwise: bool

    def numeric(self, fixed: bool, unroll: bool = False) -> tuple[keras.Model, dict]:
        """The model with named outputs, and the shapes of its inputs, by name, without batch.

        Args:
            fixed: whether sequences have one length.
            unroll: whether recurrent layers are written out step by step.
        """
        if self.facts["task"] == "next-character":
            if not self.stepwise:
                raise Refused("a text model is exported so if it can go step by step; this cannot")
            return _one_step(Stepwise(unrolled(self.file, steps=1)))
        model = portable(self.file)
        if unroll:
            length = self.facts["input_shape"][0]
            sequences = [keras.tree.flatten(x.input)[0] for x in model.layers if _recurs(x)]
            longest = max((x.shape[1] or length for x in sequences), default=0)
            if longest > LONGEST:
                raise Refused(
                    f"its converter wants recurrent layers without a loop, of {LONGEST} steps at "
                    f"most; these have {longest}"
                )
            model = unrolled(self.file, steps=length)
        entry = model.inputs[0]
        if entry.dtype == "string":
            raise Refused("it takes numbers; the model's input is text")
        shape = tuple(self.facts["input_shape"]) if fixed else entry.shape[1:]
        named = keras.Model(entry, serving.named(model.output, self.facts))
        return named, {entry.name: shape}


def onnx(original: Original, file: Path) -> dict:
    """Write an ONNX file; its batch, and the length of sequences, are open."""
    from onnx import defs, helper
    from onnx import load as load_onnx
    from onnx import save as save_onnx

    model, shapes = original.numeric(fixed=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tf2onnx's own
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
    helper.set_model_props(written, {"classes": json.dumps(original.facts["classes"])})
    save_onnx(written, file)
    return {"opset": OPSET, "format": "ONNX"}


def litert(original: Original, file: Path, kind: str) -> dict:
    """Write a LiteRT file of a `kind` in LITERT."""
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
        warnings.simplefilter("ignore")  # the converter's own, on its future
        model.export(str(file), format="litert", input_signature=specs, verbose=False, **settings)
    return {"format": "LiteRT"}


class _OneStep(keras.layers.Layer):
    """A character's code and states -> probabilities of what follows, and states."""

    def __init__(self, stepwise: Stepwise):
        super().__init__()
        self.stepwise = stepwise

    def call(self, inputs):
        codes = ops.expand_dims(inputs["character"], 1)
        outputs, after = self.stepwise(codes, inputs)
        return {"probabilities": ops.softmax(ops.cast(outputs[:, 0], "float32")), **after}


def _one_step(stepwise: Stepwise) -> tuple[keras.Model, dict]:
    inputs = {"character": keras.Input((), dtype="int32", name="character")}
    inputs |= {name: keras.Input(shape, name=name) for name, shape in stepwise.states.items()}
    model = keras.Model(inputs, _OneStep(stepwise)(inputs))
    return model, {name: tuple(tensor.shape[1:]) for name, tensor in inputs.items()}


def _specs(model: keras.Model, shapes: dict, batch: int | None) -> list:
    """What `export` calls an input signature."""
    specs = {
        x.name: keras.InputSpec(shape=(batch, *shapes[x.name]), dtype=x.dtype, name=x.name)
        for x in model.inputs
    }
    return [specs] if len(specs) > 1 else list(specs.values())


def _loops(model: keras.Model, specs: list) -> bool:
    """Whether the model's graph has a loop in it."""
    import tensorflow as tf

    tensors = [keras.tree.map_structure(_tensor, spec) for spec in specs]
    graph = tf.function(model, autograph=False).get_concrete_function(*tensors)
    return bool(operations(graph) & {"While", "StatelessWhile"})


def _tensor(spec: keras.InputSpec):
    import tensorflow as tf

    return tf.TensorSpec(spec.shape, spec.dtype, name=spec.name)


def _representative(original: Original, model: keras.Model) -> Iterator[dict]:
    """Inputs one by one, as the converter wants them; states are those of reading a text."""
    if original.facts["task"] != "next-character":
        (name,) = (x.name for x in model.inputs)
        yield from ({name: sample[None]} for sample in original.samples[:CALIBRATION])
        return
    states = {x.name: np.zeros((1, *x.shape[1:]), "float32") for x in model.inputs}
    del states["character"]
    for code in original.samples[0][:CALIBRATION]:
        x = {"character": np.array([code], "int32"), **states}
        yield x
        answer = model(x)
        states = {name: ops.convert_to_numpy(answer["next_" + name]) for name in states}


def _recurs(layer) -> bool:
    return isinstance(layer, (keras.layers.RNN, keras.layers.Bidirectional))
