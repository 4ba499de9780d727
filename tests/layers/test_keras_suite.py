"""Every layer passes `run_layer_test`, by which Keras tests its own."""

import inspect

import keras
import pytest
from keras.src.testing import TestCase  # what Keras holds its own layers against

from kcatalog import registry
from kcatalog.card import build_args
from kcatalog.conformance.adapter import required_inputs
from kcatalog.layers.decoding.generator import Generator

# What `fit` warns of in Keras's own test.
pytestmark = [
    pytest.mark.filterwarnings("ignore:`shuffle=True` was passed:UserWarning"),
    pytest.mark.filterwarnings("ignore:The model does not have any trainable:UserWarning"),
]

LAYERS = registry.find(kind="layers", origin="kcatalog")


@pytest.mark.slow
@pytest.mark.parametrize("entry", LAYERS, ids=lambda e: e.name)
def test_run_layer_test(entry):
    cls, example = entry.load(), entry.card.example
    arguments = build_args(example.args)
    if "cell" in entry.card.tags:
        cls, arguments = keras.layers.RNN, {"cell": cls(**arguments)}
    shape = (2, *example.shape)
    shapes = {"input_shape": shape}
    several = isinstance(example.shape[0], tuple)
    if several and len(example.shape) == 1:  # one input, several outputs
        shape = (2, *example.shape[0])
        shapes = {"input_shape": shape}
    elif several and required_inputs(cls(**arguments)) == 1:  # in a list
        shapes = {"input_shape": [(2, *s) for s in example.shape]}
        shape = shapes["input_shape"]
    elif several:  # by the names of `call`
        names = list(inspect.signature(cls.call).parameters)[1:]
        shapes = {f"{n}_shape": (2, *s) for n, s in zip(names, example.shape, strict=False)}
        shape = shapes
    dtype = "int32" if example.predictions == "tokens" else "float32"
    dtype = dict.fromkeys(shape, dtype) if isinstance(shape, dict) else dtype
    dtype = [dtype] * len(shape) if isinstance(shape, list) else dtype
    check = TestCase().run_layer_test
    layer = cls(**arguments)
    trains = not isinstance(layer, Generator)  # tokens are whole numbers without a gradient
    exempt = "half_precision-mixed_float16" in entry.card.exemptions
    check(
        cls,
        arguments,
        input_shape=shape,
        input_dtype=dtype,
        expected_output_shape=layer.compute_output_shape(*shapes.values()),
        run_mixed_precision_check=trains and not exempt,
        run_training_check=trains and not several,  # Keras's hands one input over
        supports_masking="masking" in entry.card.tags or layer.supports_masking,
    )
