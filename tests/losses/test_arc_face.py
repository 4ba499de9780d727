import math

import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.losses.prototypes import check_golden, softmax_loss, some_cosines, through_prototypes


def reference(cos, y, margin_degrees, scale):
    """Equation 3 of Deng et al., by angles, with the continuation that the docstring tells."""
    m, each = math.radians(margin_degrees), []
    for row, label in zip(cos.astype("float64"), y, strict=True):
        scores = list(row)
        theta = math.acos(row[label])
        beyond = theta > math.pi - m
        scores[label] = row[label] + math.cos(m) - 1 if beyond else math.cos(theta + m)
        each.append(softmax_loss([scale * s for s in scores], label))
    return each


@pytest.mark.parametrize(("margin", "scale"), [(28.6, 64.0), (0, 1), (90, 8.0)])
def test_reference(rng, margin, scale):
    cos, y = some_cosines(rng, 60, 5)
    each = losses.ArcFace(margin, scale, reduction=None)(y, cos)
    np.testing.assert_allclose(
        as_numpy(each), reference(cos, y, margin, scale), rtol=1e-5, atol=1e-4
    )


def test_golden():
    check_golden("arc_face", losses.ArcFace(margin_degrees=28.6, scale=8.0))


@pytest.mark.parametrize("margin", [0, 5, 28.6, 60, 90])
def test_falls_all_the_way_and_nowhere_jumps(margin):
    cos_y = np.linspace(-1, 1, 2001)
    cos = np.stack([cos_y, np.zeros_like(cos_y)], axis=1).astype("float32")
    loss = losses.ArcFace(margin, 1.0, reduction=None)
    each = as_numpy(loss(np.zeros(len(cos)), cos))
    steps = np.diff(each)
    assert np.all(steps <= 1e-6)
    assert np.all(steps > -0.04)  # near cosines 1 the slope is that of a root


def test_embeddings_on_and_opposite_their_class_have_a_finite_gradient(rng):
    w = rng.normal(size=(3, 8)).astype("float32")
    nearly = w + 1e-4 * rng.normal(size=w.shape).astype("float32")
    for x in (w, -w, nearly, -nearly):
        value, gradients = through_prototypes(losses.ArcFace(), np.arange(3), x, w)
        assert np.isfinite(value)
        for gradient in gradients:
            assert np.all(np.isfinite(gradient))
            assert np.abs(gradient).max() < 1e3


def test_cosines_that_rounding_pushed_out_of_range():
    cos = np.array([[1 + 1e-6, 0.0], [-1 - 1e-6, 0.0]], "float32")
    value, (gradient,) = value_and_gradients(lambda c: losses.ArcFace()([0, 0], c), [cos])
    assert np.isfinite(value)
    assert np.all(np.isfinite(gradient))
