import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import regularizers
from kcatalog.conformance.backend import as_numpy, value_and_gradients

ConfidencePenalty = regularizers.ConfidencePenalty


def reference(y, factor, activation):
    """Minus the entropy of Pereyra et al., raised to a least value of 0; one output at a time."""
    y = y.astype("float64")
    y = y.reshape(len(y), -1, y.shape[-1])
    total = 0.0
    for sample in y:
        for p in sample:
            if activation == "softmax":
                each = np.log(len(p)) + sum(q * np.log(q) for q in p)
            else:
                each = sum(q * np.log(2 * q) + (1 - q) * np.log(2 * (1 - q)) for q in p) / len(p)
            total += each / len(sample)
    return factor * total


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("shape", [(5, 4), (3, 2, 4)])
def test_reference(rng, shape, from_logits, activation):
    logits = rng.normal(size=shape).astype("float32")
    p = as_numpy(getattr(keras.activations, activation)(ops.convert_to_tensor(logits)))
    penalty = ConfidencePenalty(0.3, from_logits, activation)
    value = as_numpy(penalty(logits if from_logits else p))
    np.testing.assert_allclose(value, reference(p, 0.3, activation), rtol=1e-4)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_from_nothing_to_the_entropy_of_equal_chances(activation):
    penalty = ConfidencePenalty(1.0, True, activation)
    equal, certain = np.zeros((1, 4), "float32"), np.array([[1e4, -1e4, -1e4, -1e4]], "float32")
    np.testing.assert_allclose(as_numpy(penalty(equal)), 0, atol=1e-6)
    value, (gradient,) = value_and_gradients(penalty, [certain])
    np.testing.assert_allclose(value, np.log(4 if activation == "softmax" else 2), rtol=1e-5)
    assert np.all(np.isfinite(gradient))


def test_probabilities_of_zero_and_one_are_finite():
    for activation in ("softmax", "sigmoid"):
        p = np.array([[1.0, 0.0, 0.0]], "float32")
        value, (gradient,) = value_and_gradients(ConfidencePenalty(1.0, False, activation), [p])
        np.testing.assert_allclose(value, np.log(3 if activation == "softmax" else 2), rtol=1e-5)
        assert np.all(np.isfinite(gradient))
