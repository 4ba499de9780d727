import keras
import pytest
from keras import ops

from kcatalog.ops.precision import at_least_float32


@pytest.mark.parametrize(
    ("given", "wanted"), [("float16", "float32"), ("bfloat16", "float32"), ("int32", "float32")]
)
def test_dtype(given, wanted):
    x = at_least_float32(ops.ones((2,), dtype=given))
    assert keras.backend.standardize_dtype(x.dtype) == wanted
