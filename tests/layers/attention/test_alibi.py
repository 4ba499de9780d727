import numpy as np
import pytest
from keras import ops

from kcatalog import layers


def test_reference(rng):
    """Section 3 of Press et al.: with eight heads the slopes are 1/2, 1/4, ..., 1/256."""
    scores = rng.normal(size=(2, 8, 3, 5)).astype("float32")
    y = ops.convert_to_numpy(layers.ALiBi()(scores, start_index=2))
    for head in range(8):
        for t in range(3):
            for s in range(5):
                wanted = scores[:, head, t, s] - abs(2 + t - s) / 2 ** (head + 1)
                np.testing.assert_allclose(y[:, head, t, s], wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("heads", "powers"), [(3, [4, 8, 2]), (6, [2, 4, 6, 8, 1, 3])])
def test_other_numbers_of_heads(heads, powers):
    """The slopes `2^-p` that the authors' code gives."""
    layer = layers.ALiBi()
    layer.build((None, heads, 2, 2))
    y = ops.convert_to_numpy(layer.bias(ops.convert_to_tensor([0]), ops.convert_to_tensor([1])))
    np.testing.assert_allclose(-np.log2(-y[:, 0, 0]), powers, rtol=1e-5)


@pytest.mark.parametrize(("bias", "training"), [("ALiBi", False), ("RelativePositionBias", True)])
def test_in_a_block(rng, bias, training):
    """The block's fused attention and its own give the same, and so does decoding by cache."""
    block = layers.TransformerDecoderBlock(
        6, 2, dropout=1e-12, position_bias=getattr(layers, bias)()
    )
    plain = layers.TransformerDecoderBlock(6, 2)
    x = ops.convert_to_tensor(rng.normal(size=(2, 4, 4)).astype("float32"))
    mask = ops.convert_to_tensor(np.arange(4) < np.array([[4], [3]]))
    y = block(x, mask=mask, training=training)
    plain.build(x.shape)
    own = [w for w in block.trainable_variables if "embeddings" not in w.path]
    for w, v in zip(plain.trainable_variables, own, strict=True):
        w.assign(v)
    assert np.ptp(ops.convert_to_numpy(plain(x) - y)[0, 1:]) > 1e-3
    cache = block.make_cache(2, 5)
    for t in range(4):
        step, cache = block(x[:, t : t + 1], mask=mask[:, t : t + 1], cache=cache, cache_index=t)
    step, y = (ops.convert_to_numpy(a)[0, -1] for a in (step, y))
    np.testing.assert_allclose(step, y, rtol=1e-4, atol=1e-5)
