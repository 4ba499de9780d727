import numpy as np

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.losses.prototypes import check_golden, some_cosines
from tests.losses.test_arc_face import reference as arc_face


def test_reference(rng):
    cos, y = some_cosines(rng, 40, 5, 3)
    nearest = np.array([[max(centers) for centers in row] for row in cos])
    each = losses.SubCenterArcFace(20.0, 8.0, reduction=None)(y, cos)
    np.testing.assert_allclose(
        as_numpy(each), arc_face(nearest, y, 20.0, 8.0), rtol=1e-5, atol=1e-5
    )


def test_golden():
    check_golden("sub_center_arc_face", losses.SubCenterArcFace(margin_degrees=20.0, scale=8.0))


def test_one_center_is_arc_face(rng):
    cos, y = some_cosines(rng, 9, 5)
    wanted = as_numpy(losses.ArcFace()(y, cos))
    for same in (cos, cos[:, :, None]):
        np.testing.assert_allclose(as_numpy(losses.SubCenterArcFace()(y, same)), wanted, rtol=1e-6)


def test_only_the_nearest_center_learns(rng):
    cos, y = some_cosines(rng, 9, 5, 3)
    loss = losses.SubCenterArcFace(scale=2.0)
    _, (gradient,) = value_and_gradients(lambda c: loss(y, c), [cos])
    np.testing.assert_array_equal(gradient != 0, cos == cos.max(axis=-1, keepdims=True))
