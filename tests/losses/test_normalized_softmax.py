import keras
import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy
from tests.losses.prototypes import check_golden, softmax_loss, some_cosines


@pytest.mark.parametrize("temperature", [0.05, 1])
def test_reference(rng, temperature):
    cos, y = some_cosines(rng, 7, 5)
    each = losses.NormalizedSoftmax(temperature, reduction=None)(y, cos)
    wanted = [
        softmax_loss([float(c) / temperature for c in row], label)
        for row, label in zip(cos, y, strict=True)
    ]
    np.testing.assert_allclose(as_numpy(each), wanted, rtol=1e-5, atol=1e-5)


def test_golden():
    check_golden("normalized_softmax", losses.NormalizedSoftmax(temperature=0.2))


def test_equals_keras_on_logits(rng):
    cos, y = some_cosines(rng, 7, 10_000)
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(y, 20 * cos)
    np.testing.assert_allclose(
        as_numpy(losses.NormalizedSoftmax()(y, cos)), as_numpy(theirs), rtol=1e-5
    )


def test_several_vectors_a_class_need_a_loss_that_pools():
    with pytest.raises(ValueError, match=r"`y_pred` must be \(batch, classes\).*\(2, 3, 4\).*per"):
        losses.NormalizedSoftmax()(np.array([0, 1]), np.ones((2, 3, 4), "float32"))
