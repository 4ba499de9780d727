import keras
import numpy as np
import pytest

from kcatalog import losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.golden.load import golden


def reference(a, b):
    """Algorithm 2 of Rezatofighi et al. for one pair of boxes, x1, y1, x2, y2."""
    area = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (a, b)]
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    intersection = width * height if width > 0 and height > 0 else 0.0
    union = sum(area) - intersection
    enclosing = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    return 1 - (intersection / union - (enclosing - union) / enclosing)


def boxes(rng, n=40):
    corner, size = rng.uniform(0, 4, (n, 2)), rng.uniform(0.1, 4, (n, 2))
    return np.concatenate([corner, corner + size], axis=-1).astype("float32")


def test_reference(rng):
    a, b = boxes(rng), boxes(rng)
    each = as_numpy(losses.GIoU(reduction=None)(a, b))
    expected = [reference(*pair) for pair in zip(a.astype("float64"), b, strict=True)]
    np.testing.assert_allclose(each, expected, rtol=1e-5, atol=1e-6)


def test_golden():
    peer = golden("tfa_giou")
    each = losses.GIoU("yxyx", reduction=None)(peer["y_true"], peer["y_pred"])
    np.testing.assert_allclose(as_numpy(each), peer["loss"], rtol=1e-5, atol=1e-6)
    total = losses.GIoU("yxyx", reduction="sum")
    _, (gradient,) = value_and_gradients(lambda p: total(peer["y_true"], p), [peer["y_pred"]])
    np.testing.assert_allclose(gradient, peer["gradient"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["yxyx", "xywh", "center_xywh", "center_yxhw"])
def test_every_format_means_the_same(rng, name):
    a, b = boxes(rng), boxes(rng)
    convert = keras.utils.bounding_boxes.convert_format
    other = losses.GIoU(name)(*[convert(x, source="xyxy", target=name) for x in (a, b)])
    np.testing.assert_allclose(as_numpy(other), as_numpy(losses.GIoU()(a, b)), rtol=1e-5)


def test_extremes():
    a = np.array([[0, 0, 1, 2]], "float32")
    assert float(losses.GIoU()(a, a)) == 0
    np.testing.assert_allclose(float(losses.GIoU()(a, a + 1e5)), 2, rtol=1e-4)
    np.testing.assert_allclose(float(losses.GIoU()(a, np.zeros_like(a))), 1)  # no area


def test_boxes_apart_know_where_to_go():
    a, b = np.array([[0, 0, 1, 1]], "float32"), np.array([[3, 0.1, 4, 1.1]], "float32")
    _, (gradient,) = value_and_gradients(lambda p: losses.GIoU()(a, p), [b])
    assert gradient[0, 0] > 0  # the left edge, towards the target


def test_what_is_no_box_is_refused():
    with pytest.raises(ValueError, match=r"GIoU: `y_pred` must be boxes \(batch, ..., 4\)"):
        losses.GIoU()(np.ones((2, 4)), np.ones((2, 5)))
