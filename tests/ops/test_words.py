import numpy as np
import pytest
from keras import ops

from kcatalog.conformance.backend import NAME, as_numpy
from kcatalog.ops.words import same_words, words

NUMBERS = [0, 1, -1, 5, 2**24 + 1, -(2**31), 2**31, 2**32 + 5, -(2**32) - 5, 2**53 - 1, 2**62 + 1]


def reference(number):
    """Two's complement, as Python cuts it."""
    bits = (number % 2**64).to_bytes(8, "big")
    return [int.from_bytes(bits[i : i + 4], "big", signed=True) for i in (0, 4)]


@pytest.mark.parametrize(
    "dtype", ["int64", "uint64", "float64", "int32", "uint32", "uint8", "bool"]
)
def test_reference(dtype):
    exact = [n for n in NUMBERS if abs(n) < 2**53] if dtype == "float64" else NUMBERS
    lowest = {"f": -(2**53), "b": 0}.get(np.dtype(dtype).kind)
    lowest = np.iinfo(dtype).min if lowest is None else lowest
    highest = {"f": 2**53, "b": 1}.get(np.dtype(dtype).kind) or np.iinfo(dtype).max
    exact = [n for n in exact if lowest <= n <= highest]
    array = np.array(exact).astype(dtype)
    np.testing.assert_array_equal(as_numpy(words(array)), [reference(n) for n in exact])
    if NAME != "jax" and not (NAME == "torch" and dtype == "uint64"):  # what a tensor can hold
        tensor = ops.convert_to_tensor(array, dtype=dtype if dtype != "uint32" else None)
        np.testing.assert_array_equal(as_numpy(words(tensor)), [reference(n) for n in exact])


def test_tensors_of_few_bits():
    for dtype, numbers in (("float32", [-1, -129, 2**24, 2**40, -(2**40)]), ("int16", [-7, 7])):
        tensor = ops.convert_to_tensor(np.array(numbers, dtype))
        np.testing.assert_array_equal(as_numpy(words(tensor)), [reference(n) for n in numbers])


def test_same():
    a, b = [5, 2**32 + 5, -1], np.array([5.0, -1.0, 2.0**32 + 5])
    expected = [[True, False, False], [False, False, True], [False, True, False]]
    np.testing.assert_array_equal(as_numpy(same_words(words(a), words(b))), expected)
