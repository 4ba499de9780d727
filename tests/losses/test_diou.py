import numpy as np

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients


def reference(a, b):
    """Equation 7 of Zheng et al. for one pair of boxes, x1, y1, x2, y2."""
    area = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (a, b)]
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    iou = width * height / (sum(area) - width * height)
    centres = [((x1 + x2) / 2, (y1 + y2) / 2) for x1, y1, x2, y2 in (a, b)]
    distance = np.hypot(centres[0][0] - centres[1][0], centres[0][1] - centres[1][1])
    wide = max(a[2], b[2]) - min(a[0], b[0])
    diagonal = np.hypot(wide, max(a[3], b[3]) - min(a[1], b[1]))
    return 1 - iou + distance**2 / diagonal**2


def test_reference(rng):
    corner, size = rng.uniform(0, 4, (2, 40, 2)), rng.uniform(0.1, 4, (2, 40, 2))
    a, b = np.concatenate([corner, corner + size], axis=-1).astype("float32")
    each = as_numpy(losses.DIoU(reduction=None)(a, b))
    expected = [reference(*pair) for pair in zip(a.astype("float64"), b, strict=True)]
    np.testing.assert_allclose(each, expected, rtol=1e-5, atol=1e-6)


def test_extremes():
    a = np.array([[0, 0, 1, 2]], "float32")
    assert float(losses.DIoU()(a, a)) == 0
    np.testing.assert_allclose(float(losses.DIoU()(a, a + 1e5)), 2, rtol=1e-4)
    nothing = np.zeros_like(a)
    np.testing.assert_allclose(float(losses.DIoU()(nothing, nothing)), 1)


def test_a_box_inside_the_target_moves_to_its_centre():
    target, inside = np.array([[0, 0, 4, 4]], "float32"), np.array([[0.5, 1, 1.5, 2]], "float32")
    for loss, moves in ((losses.GIoU(), False), (losses.DIoU(), True)):
        _, (gradient,) = value_and_gradients(lambda p, f=loss: f(target, p), [inside])
        along_x = gradient[0, 0] + gradient[0, 2]  # of moving both edges alike
        assert (along_x < -1e-3) == moves
