import math

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers


def test_reference(rng):
    x = rng.normal(size=(2, 4, 3)).astype("float32")
    positions = np.array([[3, 0], [1, 1]])
    head = layers.MaskedLMHead(5, intermediate_activation="gelu", activation="softmax")
    head.build(x.shape)
    weights = {}
    for v in head.weights:
        weights["/".join(v.path.split("/")[1:])] = a = rng.normal(size=v.shape).astype("float32")
        v.assign(a)
    y = ops.convert_to_numpy(head(x, mask_positions=positions))
    for n in range(2):
        for m in range(2):
            z = x[n, positions[n, m]] @ weights["dense/kernel"] + weights["dense/bias"]
            z = np.array([v * (1 + math.erf(v / math.sqrt(2))) / 2 for v in z])
            z = (z - z.mean()) / np.sqrt(z.var() + 1e-5)
            z = weights["norm/gamma"] * z + weights["norm/beta"]
            scores = np.exp(weights["embeddings"] @ z + weights["bias"])
            np.testing.assert_allclose(y[n, m], scores / scores.sum(), rtol=1e-3, atol=1e-5)


def test_embedding_is_shared_before_and_after_saving(tmp_path):
    ids, positions = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    embedding = keras.layers.Embedding(7, 4, mask_zero=True)
    head = layers.MaskedLMHead(token_embedding=embedding)
    y = head(embedding(ids), mask_positions=positions)
    model = keras.Model([ids, positions], y)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert len(again.trainable_variables) == len(model.trainable_variables) == 6
    data = [np.array([[1, 5, 2, 0]]), np.array([[1, 3]])]
    before, after = (ops.convert_to_numpy(m(data)) for m in (model, again))
    np.testing.assert_allclose(after, before, rtol=1e-6)
    shared = [layer for layer in again.layers if isinstance(layer, layers.MaskedLMHead)]
    assert shared[0].token_embedding in again.layers


def test_positions_take_their_masks_along():
    x = keras.layers.Masking()(np.array([[[1.0, 2.0], [3.0, 1.0], [0.0, 0.0]]]))
    y = layers.MaskedLMHead(3)(x, mask_positions=np.array([[2, 0]]))
    weights = ops.convert_to_numpy(y._keras_mask)
    assert weights.tolist() == [[False, True]]


def test_vocabulary_must_be_known():
    with pytest.raises(ValueError, match="`vocabulary_size` must be given"):
        layers.MaskedLMHead()
    with pytest.raises(ValueError, match="`vocabulary_size` must be that of `token_embedding`"):
        layers.MaskedLMHead(3, token_embedding=keras.layers.Embedding(4, 2))
