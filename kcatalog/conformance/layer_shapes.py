"""Checks for layers: shapes, data formats and compilation."""

from __future__ import annotations

import functools
import re

import keras
import numpy as np
from keras import ops

from kcatalog.conformance import backend
from kcatalog.conformance.adapter import Adapter
from kcatalog.conformance.exercise import (
    as_layer,
    call_on_shapes,
    mode_of,
    model_around,
    moved_layer,
    repeats,
    run_layer,
)
from kcatalog.conformance.subject import BATCH, CheckSkipped, Subject, close, finite, require
from kcatalog.conformance.suite import check


def _repeats_compiled(s: Subject) -> bool:
    return backend.COMPILES and repeats(s)


@check("layers")
def shapes_agree(s: Subject) -> None:
    """Symbolic, eager and declared shapes agree, with the batch size unknown."""
    x = s.inputs()
    layer = moved_layer(s)
    symbolic = model_around(s, moved_layer(s)).output_shape
    declared = symbolic  # inferred by Keras, unless the layer says it
    if type(layer).compute_output_shape is not keras.layers.Layer.compute_output_shape:
        declared = tuple(layer.compute_output_shape((None, *x.shape[1:])))
    require(symbolic == declared, f"symbolic shape {symbolic}, declared {declared}")
    eager = tuple(layer(ops.convert_to_tensor(x)).shape)
    require(eager == (BATCH, *declared[1:]), f"eager shape {eager}, declared {declared}")


def _has_data_format(s: Subject) -> bool:
    conv = issubclass(s.cls, keras.layers.Conv2D)  # has it among `**kwargs`
    return s.has_card and not s.adapted and ("data_format" in s.signature or conv)


@check("layers", when=_has_data_format)
def data_formats_agree(s: Subject) -> None:
    """Given channels first, the layer gives what it gives for channels last, turned."""
    x = [s.rng().normal(size=(BATCH, *shape)).astype("float32") for shape in s.shapes]
    turned, ndim = [np.moveaxis(a, -1, 1) for a in x], x[0].ndim
    last, first = s.make(), s.make(data_format="channels_first")
    declared, _ = _fed_symbols(s, first, turned), _fed_symbols(s, last, x)
    for v, w in zip(first.weights, last.weights, strict=True):
        if w.trainable:
            w.assign(backend.as_numpy(w) + 0.1 * s.rng().normal(size=w.shape))
        v.assign(backend.as_numpy(w))
    wanted = _fed(s, last, map(ops.convert_to_tensor, x))
    try:
        y = _fed(s, first, map(ops.convert_to_tensor, turned))
    except Exception as e:
        if "only supports the NHWC tensor format" not in str(e):
            raise
        fix = "Set TF_ENABLE_ONEDNN_OPTS=1 in the environment."
        raise CheckSkipped(f"TensorFlow convolves channels first on some CPUs only. {fix}") from e
    for a, b, shape in zip(y, wanted, declared, strict=True):
        a, b = backend.as_numpy(a), backend.as_numpy(b)
        turns = b.ndim == ndim or shape != b.shape[1:]  # or cells of a map as a sequence
        close(a, np.moveaxis(b, -1, 1) if turns else b, "channels first")
        require(a.shape[1:] == shape, f"shape {a.shape} for channels first, declared {shape}")


def _fed(s: Subject, layer, inputs):
    """Return the outputs of a layer of one or several inputs, in a list."""
    return keras.tree.flatten(Adapter(layer, s.shapes).fed(list(inputs), **mode_of(layer)))


def _fed_symbols(s: Subject, layer, arrays):
    """Build a layer by a symbolic call; return the shapes of a sample's outputs."""
    outputs = _fed(s, layer, (keras.KerasTensor((None, *a.shape[1:])) for a in arrays))
    return [tuple(y.shape[1:]) for y in outputs]


@check("layers", tag="shape-preserving")
def shape_preserved(s: Subject) -> None:
    """The output has the input's shape."""
    shape = s.inputs().shape
    require(
        run_layer(moved_layer(s), s.inputs()).shape == shape,
        "the output's shape is not the input's",
    )


@check("layers", when=_repeats_compiled, variants=backend.MODES, slow=True)
def compiled_equals_eager(s: Subject, mode: str) -> None:
    """Compiled, with XLA or without, inference gives what eager execution gives."""
    layer, x = moved_layer(s), s.inputs()
    infer = functools.partial(layer, **mode_of(layer))
    function = backend.compiled(infer, xla=mode == "xla")
    x = ops.convert_to_tensor(x)
    close(backend.as_numpy(function(x)), backend.as_numpy(infer(x)), mode)


@check("layers", when=lambda s: backend.COMPILES, slow=True)
def compiled_training_runs(s: Subject) -> None:
    """A training step compiles with XLA and moves the weights to finite values."""
    core, x = model_around(s, moved_layer(s)), s.inputs()
    if not keras.backend.is_float_dtype(core.outputs[0].dtype):
        raise CheckSkipped("whole numbers, such as generated tokens, have no gradient")
    model = keras.Sequential([core, keras.layers.Dense(2)])  # a layer may have no weights itself
    model.compile("sgd", "mse", jit_compile=True)
    finite(model.train_on_batch(x, np.zeros((BATCH, *model.output_shape[1:]))), "the loss")
    for v in model.weights:
        finite(backend.as_numpy(v), f"{v.path} after a compiled step")


@check("layers", when=lambda s: s.has_card)
def shapes_refused(s: Subject) -> None:
    """A shape that a layer cannot take is refused with a sentence, before it is built and after."""
    built = moved_layer(s)
    for i, shape in enumerate(s.shapes):
        for wrong in (shape[:-1], (1, *shape), *_unknown(shape), (*shape[:-1], shape[-1] + 1)):
            shapes = [*s.shapes[:i], wrong, *s.shapes[i + 1 :]]
            try:
                call_on_shapes(s, as_layer(s, s.make()), shapes)
            except Exception as e:  # of any kind, where the backend is the first to notice
                named = re.search(rf"{s.name}: `\w*shape` must be ", str(e))
                require(named, f"input of shape {(None, *wrong)} fails with {e}")
            else:
                if len(wrong) == len(shape) or None in wrong:
                    continue
            try:
                call_on_shapes(s, built, shapes)
            except Exception as e:
                said = any(t in str(e) for t in (f"{s.name}: `", "is incompatible with the layer"))
                require(said, f"once built, input of shape {(None, *wrong)} fails with {e}")


def _unknown(shape):
    """Return the shape with each axis unknown in turn."""
    return [(*shape[:i], None, *shape[i + 1 :]) for i in range(len(shape))]
