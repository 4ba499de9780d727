"""Every layer passes `run_layer_test`, by which Keras tests its own."""

import keras
import pytest
from keras.src.testing import TestCase  # what Keras holds its own layers against

from kcatalog import registry
from kcatalog.card import build_args

# What `fit` warns of in Keras's own test.
pytestmark = [
    pytest.mark.filterwarnings("ignore:`shuffle=True` was passed:UserWarning"),
    pytest.mark.filterwarnings("ignore:The model does not have any trainable:UserWarning"),
]

LAYERS = registry.find(kind="layers", origin="kcatalog")


@pytest.mark.parametrize("entry", LAYERS, ids=lambda e: e.name)
def test_run_layer_test(entry):
    cls, example = entry.load(), entry.card.example
    arguments = build_args(example.args)
    if "cell" in entry.card.tags:
        cls, arguments = keras.layers.RNN, {"cell": cls(**arguments)}
    shape = (2, *example.shape)
    check = TestCase().run_layer_test
    check(
        cls,
        arguments,
        input_shape=shape,
        expected_output_shape=cls(**arguments).compute_output_shape(shape),
        supports_masking="masking" in entry.card.tags or cls(**arguments).supports_masking,
    )
