import math

import numpy as np
import pytest
from keras import ops

from kcatalog import layers


def bucket(distance, bidirectional, buckets, last):
    """Section 2.1 of Raffel et al., as in their code; `distance` is key minus query."""
    found = 0
    if bidirectional:
        buckets //= 2
        found = buckets if distance > 0 else 0
        distance = abs(distance)
    else:
        distance = max(-distance, 0)
    exact = buckets // 2
    if distance < exact:
        return found + distance
    share = np.float32(math.log(distance / exact)) / np.float32(math.log(last / exact))
    return found + min(exact + int(share * (buckets - exact)), buckets - 1)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_reference(rng, bidirectional):
    layer = layers.RelativePositionBias(32, 128, bidirectional)
    queries, keys = np.array([0, 140, 300]), np.arange(0, 301, 3)
    layer.build((None, 2, 3, len(keys)))
    b = rng.normal(size=(32, 2)).astype("float32")
    layer.set_weights([b])
    y = ops.convert_to_numpy(layer.bias(*map(ops.convert_to_tensor, (queries, keys))))
    for i, t in enumerate(queries):
        for j, s in enumerate(keys):
            np.testing.assert_array_equal(y[:, i, j], b[bucket(s - t, bidirectional, 32, 128)])


def test_scores_are_added_to(rng):
    scores = rng.normal(size=(2, 3, 4, 4)).astype("float32")
    layer = layers.RelativePositionBias(num_buckets=8, max_distance=5)
    y = ops.convert_to_numpy(layer(scores, start_index=2))
    b = layer.bias(2 + ops.arange(4), ops.arange(4))
    np.testing.assert_allclose(y, scores + ops.convert_to_numpy(b), rtol=1e-6)


def test_buckets_must_reach_further():
    with pytest.raises(ValueError, match="`max_distance` must be greater than 8"):
        layers.RelativePositionBias(num_buckets=32, max_distance=8)
    with pytest.raises(ValueError, match="`num_buckets` must be even"):
        layers.RelativePositionBias(num_buckets=5)
