"""A logit of -inf rules a class out, as masked actions and words are."""

import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import value_and_gradients

LOSSES = [
    losses.BiTemperedCrossentropy(from_logits=True),
    losses.ClassBalancedCrossentropy([1, 2, 3, 4], from_logits=True),
    losses.LDAM([1, 2, 3, 4], from_logits=True),
    losses.LogitAdjustedCrossentropy([1, 2, 3, 4], from_logits=True),
    losses.PolyCrossentropy(from_logits=True),
    losses.SequenceCrossentropy(from_logits=True),
    losses.SparseCategoricalFocalCrossentropy(from_logits=True),
    losses.SymmetricCrossentropy(from_logits=True),
]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_minus_infinity_is_the_limit(rng, loss):
    s, y = rng.normal(size=(3, 4)).astype("float32"), np.array([0, 1, 2])
    s[:, 3] = -1e9
    limit = value_and_gradients(lambda s: loss(y, s), [s])
    s[:, 3] = -np.inf
    value, (gradient,) = value_and_gradients(lambda s: loss(y, s), [s])
    np.testing.assert_allclose(value, limit[0], rtol=1e-4)
    np.testing.assert_allclose(gradient, limit[1][0], rtol=1e-4, atol=1e-6)
