import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from tests.layers.attention import mechanisms


@pytest.mark.parametrize("monotonic", [None, "soft", "hard"])
@pytest.mark.parametrize("normalize", [False, True])
def test_reference(rng, normalize, monotonic):
    layer = layers.BahdanauAttention(4, normalize=normalize, monotonic=monotonic)
    mechanisms.check_reference(rng, layer, mechanisms.additive)


def test_hard_attention_trains_as_soft_does(rng):
    q, m = (rng.normal(size=s).astype("float32") for s in ((2, 3), (2, 5, 3)))
    soft, hard = (layers.LuongAttention(3, monotonic=kind) for kind in ("soft", "hard"))
    for layer in (soft, hard):
        layer.build(q.shape, m.shape)
    hard.set_weights(soft.get_weights())
    _, one = soft(q, m)
    _, other = hard(q, m, training=True)
    _, inferred = hard(q, m)
    mechanisms.assert_close(one, other)
    assert set(np.unique(ops.convert_to_numpy(inferred))) <= {0.0, 1.0}


def test_noise_in_training_only(rng):
    q, m = (rng.normal(size=s).astype("float32") for s in ((1, 3), (1, 5, 3)))
    layer = layers.BahdanauAttention(2, monotonic="soft", sigmoid_noise=1.0, seed=3)
    calm, noisy, again = (layer(q, m, training=t)[1] for t in (False, True, False))
    calm, noisy, again = map(ops.convert_to_numpy, (calm, noisy, again))
    np.testing.assert_array_equal(calm, again)
    assert not np.allclose(calm, noisy)


def test_mask_of_the_memory_is_passed_on_by_keras(rng):
    q, m = keras.Input((3,)), keras.Input((None, 3))
    model = keras.Model([q, m], layers.LuongAttention(3)(q, keras.layers.Masking()(m)))
    x = rng.normal(size=(2, 4, 3)).astype("float32")
    x[1, 2:] = 0
    _, alignments = model([rng.normal(size=(2, 3)).astype("float32"), x])
    assert np.all(ops.convert_to_numpy(alignments)[1, 2:] == 0)
