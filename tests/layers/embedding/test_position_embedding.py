import numpy as np
import pytest
from keras import ops

from kcatalog import layers


def test_reference(rng):
    layer = layers.PositionEmbedding(7)
    layer.build((None, None, 3))
    p = rng.normal(size=(7, 3)).astype("float32")
    layer.set_weights([p])
    for start in (0, 3, ops.convert_to_tensor(3, "int32")):
        y = ops.convert_to_numpy(layer(rng.normal(size=(2, 4, 3)), start_index=start))
        for n in range(2):
            for t in range(4):
                np.testing.assert_array_equal(y[n, t], p[int(start) + t])


def test_long_sequences_are_refused():
    layer = layers.PositionEmbedding(5)
    layer(np.zeros((2, 5, 3)))
    with pytest.raises(ValueError, match="at most 5 steps, from start_index=0 on"):
        layer(np.zeros((2, 6, 3)))
    with pytest.raises(ValueError, match="from start_index=2 on"):
        layer(np.zeros((2, 4, 3)), start_index=2)
    with pytest.raises(ValueError, match="at most 5 steps"):
        layers.PositionEmbedding(5).build((None, 6, 3))
