import math

import keras
import numpy as np

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients


def reference(a, b, α=None):
    """Equations 8 to 11 of Zheng et al. for one pair of boxes, and the weight α."""
    (w, h), (w2, h2) = [(x2 - x1, y2 - y1) for x1, y1, x2, y2 in (a, b)]
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    iou = width * height / (w * h + w2 * h2 - width * height)
    centres = [((x1 + x2) / 2, (y1 + y2) / 2) for x1, y1, x2, y2 in (a, b)]
    distance = np.hypot(centres[0][0] - centres[1][0], centres[0][1] - centres[1][1])
    wide = max(a[2], b[2]) - min(a[0], b[0])
    diagonal = np.hypot(wide, max(a[3], b[3]) - min(a[1], b[1]))
    v = 4 / math.pi**2 * (math.atan(w / h) - math.atan(w2 / h2)) ** 2
    α = v / (1 - iou + v) if α is None else α
    return 1 - iou + distance**2 / diagonal**2 + α * v, α


def pairs(rng, n):
    corner, size = rng.uniform(0, 4, (2, n, 2)), rng.uniform(0.3, 4, (2, n, 2))
    return np.concatenate([corner, corner + size], axis=-1).astype("float32")


def test_reference(rng):
    a, b = pairs(rng, 40)
    each = as_numpy(losses.CIoU(reduction=None)(a, b))
    expected = [reference(*pair)[0] for pair in zip(a.astype("float64"), b, strict=True)]
    np.testing.assert_allclose(each, expected, rtol=1e-5, atol=1e-6)


def test_reference_gradient_holds_alpha(rng):
    """Differences of the reference whose α stays what it was."""
    a, b = pairs(rng, 6)
    _, (gradient,) = value_and_gradients(lambda p: losses.CIoU(reduction="sum")(a, p), [b])
    step = 1e-6 * np.eye(4)
    for i, (one, other) in enumerate(zip(a.astype("float64"), b.astype("float64"), strict=True)):
        _, α = reference(one, other)
        ends = [[reference(one, other + s * d, α)[0] for d in step] for s in (1, -1)]
        slope = np.subtract(*ends) / 2e-6
        np.testing.assert_allclose(gradient[i], slope, rtol=1e-3, atol=1e-4)


def test_agrees_with_keras(rng):
    """Keras adds small numbers to sides and areas, so only nearly."""
    a, b = pairs(rng, 40)
    theirs = 1 - as_numpy(keras.utils.bounding_boxes.compute_ciou(a, b, "xyxy"))
    np.testing.assert_allclose(as_numpy(losses.CIoU(reduction=None)(a, b)), theirs, atol=1e-5)


def test_extremes():
    a = np.array([[0, 0, 1, 2]], "float32")
    assert float(losses.CIoU()(a, a)) == 0
    flat = np.array([[0, 0, 1, 0]], "float32")
    for box in (a + 1e5, flat, np.zeros_like(a)):
        value, (gradient,) = value_and_gradients(lambda p: losses.CIoU()(a, p), [box])
        assert 1 <= value <= 3
        assert np.all(np.isfinite(gradient))
