import numpy as np
import pytest

from kcatalog.optimizers import SAM
from tests.golden.load import golden
from tests.optimizers.paths import assert_same_paths
from tests.optimizers.problems import function, paths
from tests.optimizers.wrappers.sharpness import inner, reference


def test_reference():
    expected = paths(reference(lambda w: 1.0), given=function)
    assert_same_paths(lambda: SAM(inner(), radius=0.125), expected)


def test_golden():
    assert_same_paths(lambda: SAM(inner(), radius=0.125), golden("optax_sam"))


def test_golden_whose_norm_is_float32():
    expected, tolerance = golden("pytorch_optimizer_sam"), {"float32": 1e-5, "float64": 1e-6}
    assert_same_paths(lambda: SAM(inner(), radius=0.125), expected, tolerance=tolerance)


def test_moves_by_the_radius_over_all_weights():
    optimizer = SAM("sgd", radius=0.5)
    weights, gradients = [np.zeros(3, "float32"), np.zeros((2, 2), "float32")], []
    for size in (1e-30, 1.0, 1e30):
        gradients = [np.full(3, size, "float32"), np.full((2, 2), -size, "float32")]
        moved = optimizer.perturbed(gradients, weights)
        length = np.sqrt(sum(np.sum(np.square(np.array(m))) for m in moved))
        np.testing.assert_allclose(length, 0.5, rtol=1e-5)


def test_stays_where_the_gradient_is_zero_or_missing():
    optimizer, w = SAM("sgd", radius=0.5), np.ones(3, "float32")
    (moved,) = optimizer.perturbed([np.zeros(3, "float32")], [w])
    np.testing.assert_array_equal(np.array(moved), w)
    moved, other = optimizer.perturbed([None, np.ones(3, "float32")], [w, w])
    np.testing.assert_array_equal(np.array(moved), w)
    assert np.all(np.array(other) > w)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_keeps_a_gradient_that_is_not_finite(value):
    (moved,) = SAM("sgd").perturbed([np.array([value, 1.0], "float32")], [np.ones(2, "float32")])
    assert np.isnan(np.array(moved)).all()
