import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy
from tests.losses.prototypes import check_golden, softmax_loss, some_cosines


def reference(s, y, margin, scale, gamma):
    """Section 3.2 of Qian et al., one center at a time."""
    each = []
    for row, label in zip(s.astype("float64"), y, strict=True):
        scores = []
        for j, centers in enumerate(row):
            weights = [np.exp(c / gamma) for c in centers]
            S = sum(w / sum(weights) * c for w, c in zip(weights, centers, strict=True))
            scores.append(scale * (S - margin * (j == label)))
        each.append(softmax_loss(scores, label))
    return each


@pytest.mark.parametrize("settings", [(0.01, 20.0, 0.1), (0.3, 2, 1)])
def test_reference(rng, settings):
    s, y = some_cosines(rng, 20, 5, 3)
    each = losses.SoftTriple(*settings, reduction=None)(y, s)
    np.testing.assert_allclose(as_numpy(each), reference(s, y, *settings), rtol=1e-5, atol=1e-5)


def test_golden():
    check_golden("soft_triple", losses.SoftTriple(margin=0.05, scale=8.0, gamma=0.3))


def test_one_center_is_cos_face(rng):
    s, y = some_cosines(rng, 9, 5)
    ours, other = losses.SoftTriple(0.1, 8.0), losses.CosFace(0.1, 8.0)
    np.testing.assert_allclose(as_numpy(ours(y, s)), as_numpy(other(y, s)), rtol=1e-5)
