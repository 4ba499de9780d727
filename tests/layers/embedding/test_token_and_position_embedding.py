import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers


def test_reference(rng):
    layer = layers.TokenAndPositionEmbedding(5, 7, 3)
    layer.build((None, None))
    e, p = rng.normal(size=(5, 3)).astype("float32"), rng.normal(size=(7, 3)).astype("float32")
    layer.set_weights([e, p])
    ids = np.array([[4, 0, 1], [2, 2, 3]])
    y = ops.convert_to_numpy(layer(ids, start_index=2))
    for n in range(2):
        for t in range(3):
            np.testing.assert_allclose(y[n, t], e[ids[n, t]] + p[2 + t], rtol=1e-6)


def test_padding_is_masked_from_the_ids_on():
    """Two tokens of padding change no real step's features in an encoder."""
    inputs = keras.Input((None,), dtype="int32")
    x = layers.TokenAndPositionEmbedding(9, 6, 4, mask_zero=True)(inputs)
    model = keras.Model(inputs, layers.TransformerEncoderBlock(5, 2)(x))
    short, padded = (model(np.array([ids])) for ids in ([3, 1, 7], [3, 1, 7, 0, 0]))
    short, padded = ops.convert_to_numpy(short), ops.convert_to_numpy(padded)
    np.testing.assert_allclose(padded[:, :3], short, rtol=1e-4, atol=1e-5)


def test_long_sequences_are_refused():
    with pytest.raises(ValueError, match="at most 4 steps"):
        layers.TokenAndPositionEmbedding(5, 4, 3)(np.zeros((1, 5), "int32"))
