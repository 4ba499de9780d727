import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy
from tests.losses.prototypes import check_golden, softmax_loss, some_cosines


@pytest.mark.parametrize(("margin", "scale"), [(0.35, 64.0), (0, 1)])
def test_reference(rng, margin, scale):
    cos, y = some_cosines(rng, 7, 5)
    wanted = [
        softmax_loss([scale * (float(c) - margin * (j == label)) for j, c in enumerate(row)], label)
        for row, label in zip(cos, y, strict=True)
    ]
    each = losses.CosFace(margin, scale, reduction=None)(y, cos)
    np.testing.assert_allclose(as_numpy(each), wanted, rtol=1e-5, atol=1e-5)


def test_golden():
    check_golden("cos_face", losses.CosFace(margin=0.3, scale=8.0))


def test_without_margin_it_is_normalized_softmax(rng):
    cos, y = some_cosines(rng, 7, 5)
    ours, other = losses.CosFace(0.0, 20.0), losses.NormalizedSoftmax(0.05)
    np.testing.assert_allclose(as_numpy(ours(y, cos)), as_numpy(other(y, cos)), rtol=1e-5)
