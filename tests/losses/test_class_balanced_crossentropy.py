import keras
import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy

Balanced = losses.ClassBalancedCrossentropy
COUNTS = [5000, 300, 20, 1]


def weights(counts, beta):
    """The inverse of each class's effective number; their mean is 1."""
    effective = [sum(beta**k for k in range(n)) for n in counts]  # what the closed form sums up
    inverse = [1 / e for e in effective]
    return [len(counts) * w / sum(inverse) for w in inverse]


def reference(p, y, counts=COUNTS, beta=0.999, label_smoothing=0.0):
    """Weighted softmax cross-entropy of Cui et al., one sample at a time."""
    each = []
    for row, label in zip(p.astype("float64"), y, strict=True):
        total = 0.0
        for c, p_c in enumerate(row / sum(row)):
            q = (1 - label_smoothing) * (c == label) + label_smoothing / len(row)
            total -= q * np.log(p_c)
        each.append(weights(counts, beta)[label] * total)
    return each


@pytest.mark.parametrize("settings", [{}, {"beta": 0.0}, {"beta": 0.9999, "label_smoothing": 0.2}])
@pytest.mark.parametrize("from_logits", [True, False])
def test_reference(rng, settings, from_logits):
    s, y = rng.normal(size=(6, 4)).astype("float32"), rng.integers(0, 4, 6)
    loss = Balanced(COUNTS, **settings, from_logits=from_logits, reduction=None)
    each = as_numpy(loss(y, s if from_logits else np.exp(s)))
    np.testing.assert_allclose(each, reference(np.exp(s), y, **settings), rtol=1e-5)


def test_between_no_weights_and_inverse_frequency():
    p, y = np.full((4, 4), 0.25, "float32"), np.arange(4)
    for beta, expected in [(0.0, np.ones(4)), (1 - 1e-9, 1 / np.array(COUNTS))]:
        each = as_numpy(Balanced(COUNTS, beta, reduction=None)(y, p)) / np.log(4)
        np.testing.assert_allclose(each, expected / expected.mean(), rtol=1e-4)


def test_it_is_keras_crossentropy_with_sample_weights_along_any_axis(rng):
    s, y = rng.normal(size=(2, 4, 3)).astype("float32"), rng.integers(0, 4, (2, 3))
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    ours = Balanced(COUNTS, 0.99, from_logits=True, axis=1)
    expected = theirs(y, np.moveaxis(s, 1, -1), np.array(weights(COUNTS, 0.99), "float32")[y])
    np.testing.assert_allclose(as_numpy(ours(y, s)), as_numpy(expected), rtol=1e-5)


def test_counts_must_fit_the_classes():
    with pytest.raises(ValueError, match=r"`counts` must be a list of 3.*counts=\[1, 2\]"):
        Balanced([1, 2])(np.array([0]), np.ones((1, 3), "float32"))
    with pytest.raises(ValueError, match=r"a list of numbers in \[1, inf\).*Replace 0"):
        Balanced([10, 0])
