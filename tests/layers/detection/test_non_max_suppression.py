import numpy as np
import pytest
from keras import ops

from kcatalog import layers


def iou(a, b):
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    both = np.prod(np.maximum(high - low, 0))
    return both / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - both)


def reference(boxes, scores, iou_threshold, score_threshold, max_detections):
    """One image, as it is described: by falling score, against all that are kept."""
    order = sorted(np.ndindex(scores.shape), key=lambda p: -scores[p])
    kept = []
    for i, c in order:
        fresh = all(k != c or iou(boxes[i], boxes[j]) <= iou_threshold for j, k in kept)
        if scores[i, c] > score_threshold and fresh:
            kept.append((i, c))
    return kept[:max_detections]


def random_boxes(rng, batch=4, boxes=12):
    low = rng.uniform(size=(batch, boxes, 2)) * 4
    return np.concatenate([low, low + rng.uniform(1, 3, (batch, boxes, 2))], -1).astype("float32")


@pytest.mark.parametrize("threshold", [0.0, 0.3, 1.0])
def test_reference_takes_boxes_one_by_one(rng, threshold):
    boxes = random_boxes(rng)
    scores = rng.uniform(size=(4, 12, 3)).astype("float32")
    layer = layers.NonMaxSuppression(threshold, score_threshold=0.4, max_detections=9)
    found = {n: ops.convert_to_numpy(v) for n, v in layer(boxes, scores).items()}
    for b in range(4):
        kept = reference(boxes[b], scores[b], threshold, 0.4, 9)
        n = found["num_detections"][b]
        assert n == len(kept)
        np.testing.assert_array_equal(found["classes"][b, :n], [c for _, c in kept])
        np.testing.assert_array_equal(found["boxes"][b, :n], [boxes[b, i] for i, _ in kept])
        np.testing.assert_array_equal(found["scores"][b, :n], [scores[b][p] for p in kept])
        assert not found["boxes"][b, n:].any()
        assert np.all(found["classes"][b, n:] == -1)


def test_formats_of_boxes_are_read(rng):
    boxes, scores = random_boxes(rng), rng.uniform(size=(4, 12, 1)).astype("float32")
    sides = np.concatenate([boxes[..., :2], boxes[..., 2:] - boxes[..., :2]], -1)
    one = layers.NonMaxSuppression()(boxes, scores)
    two = layers.NonMaxSuppression(bounding_box_format="xywh")(sides, scores)
    np.testing.assert_allclose(
        ops.convert_to_numpy(one["scores"]), ops.convert_to_numpy(two["scores"])
    )


def test_a_score_that_is_nan_is_never_taken(rng):
    boxes, scores = random_boxes(rng, 1, 3), np.array([[[np.nan], [0.5], [np.nan]]], "float32")
    found = layers.NonMaxSuppression(max_detections=2)(boxes, scores)
    np.testing.assert_array_equal(ops.convert_to_numpy(found["scores"]), [[0.5, 0.0]])


def test_boxes_and_scores_of_different_numbers_are_refused():
    with pytest.raises(ValueError, match=r"NonMaxSuppression: `input_shape` must be boxes"):
        layers.NonMaxSuppression()(ops.zeros((1, 3, 4)), ops.zeros((1, 2, 5)))
