import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from tests.golden.load import golden
from tests.layers.peer_weights import check_peer


def test_reference_of_cross_attention(rng):
    """With values and kernels of identity, a step's output is the mean of the real source."""
    block = layers.TransformerDecoderBlock(6, 1, normalize_first=True, kernel_initializer="zeros")
    x, encoded = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 5, 4))
    mask = np.arange(5) < np.array([[5], [2]])
    block.build((None, 3, 4), (None, 5, 4))
    for v in block.trainable_variables:
        if "cross_attention/value/kernel" in v.path or "cross_attention/attention_output" in v.path:
            v.assign(np.eye(4).reshape(v.shape) if "kernel" in v.path else v)
    y = ops.convert_to_numpy(block(x, encoded, encoded_mask=ops.convert_to_tensor(mask)))
    for n, length in enumerate([5, 2]):
        mean = sum(encoded[n, s] for s in range(length)) / length
        for t in range(3):
            np.testing.assert_allclose(y[n, t], x[n, t] + mean, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("where", "activation"), [("post", "relu"), ("pre", "gelu")])
def test_golden(where, activation):
    peer = golden(f"torch_transformer_decoder_{where}")
    block = layers.TransformerDecoderBlock(
        6, 2, activation=activation, normalize_first=where == "pre"
    )
    masks = {name: ops.convert_to_tensor(peer[name]) for name in ("mask", "encoded_mask")}
    check_peer(block, peer, "x", "encoded", **masks)


def test_cached_steps_equal_the_whole_sequence(rng):
    """A prompt of three steps, padded on the left in one row, then one step at a time."""
    block = layers.TransformerDecoderBlock(6, 2, rotary=True, normalize_first=True)
    x = ops.convert_to_tensor(rng.normal(size=(2, 6, 4)).astype("float32"))
    mask = ops.convert_to_tensor(np.arange(6) >= np.array([[0], [2]]))
    encoded = ops.convert_to_tensor(rng.normal(size=(2, 5, 3)).astype("float32"))
    encoded_mask = ops.convert_to_tensor(np.arange(5) < np.array([[5], [2]]))
    source = {"encoded": encoded, "encoded_mask": encoded_mask}
    whole = ops.convert_to_numpy(block(x, mask=mask, **source))
    cache = block.make_cache(2, max_length=8, **source)
    for start, end in [(0, 3), (3, 4), (4, 5), (5, 6)]:
        steps = slice(start, end)
        y, cache = block(x[:, steps], mask=mask[:, steps], cache=cache, cache_index=start)
        real = ops.convert_to_numpy(mask)[:, steps]
        y, wanted = ops.convert_to_numpy(y)[real], whole[:, steps][real]
        np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-5)


def test_cache_index_may_be_a_tensor(rng):
    block = layers.TransformerDecoderBlock(6, 2, rotary=True)
    x = ops.convert_to_tensor(rng.normal(size=(1, 2, 4)).astype("float32"))
    whole, cache = block(x), block.make_cache(1, 4)
    for t in range(2):
        at = ops.convert_to_tensor(t, "int32")
        y, cache = block(x[:, t : t + 1], cache=cache, cache_index=at)
    wanted = ops.convert_to_numpy(whole)[:, 1:]
    np.testing.assert_allclose(ops.convert_to_numpy(y), wanted, rtol=1e-4, atol=1e-5)


def test_full_cache_is_refused():
    block = layers.TransformerDecoderBlock(6, 2)
    block.build((None, None, 4))
    with pytest.raises(ValueError, match="leaves room for 2 of 3 steps"):
        block(np.zeros((1, 2, 4)), cache=block.make_cache(1, 3), cache_index=2)


def test_model_of_two_masked_inputs_is_saved(rng, tmp_path):
    inputs, source = keras.Input((None, 4)), keras.Input((None, 3))
    masked = [keras.layers.Masking()(i) for i in (inputs, source)]
    block = layers.TransformerDecoderBlock(6, 2, name="block")
    model = keras.Model([inputs, source], block(*masked))
    x, encoded = (rng.normal(size=(2, n, f)).astype("float32") for n, f in ((3, 4), (5, 3)))
    encoded[1, 2:] = 0
    y = model.predict([x, encoded], verbose=0)
    mask = ops.convert_to_tensor(np.any(encoded != 0, axis=-1))
    by_hand = ops.convert_to_numpy(block(x, encoded, encoded_mask=mask))
    np.testing.assert_allclose(y, by_hand, rtol=1e-4, atol=1e-5)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict([x, encoded], verbose=0), y, rtol=1e-6, atol=1e-6)


def test_missing_source_is_named(rng):
    x = rng.normal(size=(1, 3, 4)).astype("float32")
    block = layers.TransformerDecoderBlock(6, 2)
    block(x, x)
    with pytest.raises(ValueError, match="`encoded` must be given in every call, or in none"):
        block(x)
    block = layers.TransformerDecoderBlock(6, 2)
    with pytest.raises(ValueError, match="before `make_cache`"):
        block.make_cache(1, 4)
    block(x)
    with pytest.raises(ValueError, match="`encoded` must be None"):
        block(x, x)
