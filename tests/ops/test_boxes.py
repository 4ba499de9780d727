import keras
import numpy as np
import pytest

from kcatalog.conformance.backend import as_numpy
from kcatalog.ops.boxes import low_and_high


@pytest.mark.parametrize("name", ["xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw"])
def test_formats_are_keras_formats(rng, name):
    corner, size = rng.uniform(1, 5, (7, 2)), rng.uniform(1, 5, (7, 2))
    xyxy = np.concatenate([corner, corner + size], axis=-1).astype("float32")
    boxes = keras.utils.bounding_boxes.convert_format(xyxy, source="xyxy", target=name)
    low, high = (as_numpy(c) for c in low_and_high(boxes, name))
    y_first = name in ("yxyx", "center_yxhw")
    turn = slice(None, None, -1) if y_first else slice(None)
    np.testing.assert_allclose(low[:, turn], xyxy[:, :2], rtol=1e-5)
    np.testing.assert_allclose(high[:, turn], xyxy[:, 2:], rtol=1e-5)
