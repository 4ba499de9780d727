import math

import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.losses.prototypes import check_golden, softmax_loss, some_cosines


def reference(cos, y, m, scale):
    """Equation 7 of Liu et al., by angles; `scale` in place of the embedding's length."""
    each = []
    for row, label in zip(cos.astype("float64"), y, strict=True):
        theta = math.acos(row[label])
        k = min(int(theta * m / math.pi), m - 1)
        scores = list(row)
        scores[label] = (-1) ** k * math.cos(m * theta) - 2 * k
        each.append(softmax_loss([scale * s for s in scores], label))
    return each


@pytest.mark.parametrize(("margin", "scale"), [(4, 30.0), (1, 1), (2, 8.0), (5, 3.0)])
def test_reference(rng, margin, scale):
    cos, y = some_cosines(rng, 60, 5)
    each = losses.SphereFace(margin, scale, reduction=None)(y, cos)
    np.testing.assert_allclose(
        as_numpy(each), reference(cos, y, margin, scale), rtol=1e-5, atol=1e-4
    )


def test_golden():
    check_golden("sphere_face", losses.SphereFace(margin=3, scale=8.0), embeddings="unit_x")


@pytest.mark.parametrize("margin", [1, 2, 3, 4, 7])
def test_falls_all_the_way_with_a_finite_slope(margin):
    cos_y = np.linspace(-1, 1, 2001)
    cos = np.stack([cos_y, np.zeros_like(cos_y)], axis=1).astype("float32")
    loss = losses.SphereFace(margin, 1.0, reduction="sum")
    each = as_numpy(losses.SphereFace(margin, 1.0, reduction=None)(np.zeros(len(cos)), cos))
    _, (gradient,) = value_and_gradients(lambda c: loss(np.zeros(len(cos)), c), [cos])
    assert np.all(np.diff(each) <= 1e-5)
    assert np.all(np.diff(each) >= -(margin**2) * 1.001e-3 - 1e-5)
    assert np.abs(gradient).max() <= margin**2
