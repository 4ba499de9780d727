import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from kcatalog.conformance.backend import value_and_gradients
from tests.golden.load import golden
from tests.layers.recurrent.test_layer_norm_lstm_cell import (
    NAMES,
    STATE_NAMES,
    peer_weights,
    random_weights,
    reference,
)


def built(shape, rng, *args, **kwargs):
    layer = layers.LayerNormLSTM(*args, **kwargs)
    layer.build(shape)
    weights = random_weights(rng, layer)
    layer.set_weights(weights)
    return layer, weights


@pytest.mark.parametrize("features", [3, 40])
def test_reference(rng, features):
    """Fewer features than gates, and more: two ways to the same statistics."""
    x = rng.normal(size=(2, 6, features)).astype("float32")
    layer, weights = built(x.shape, rng, 4, return_sequences=True)
    y = ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(y, reference(x, weights), rtol=1e-4, atol=1e-5)


def test_golden():
    """With `carry_normalized`: the peer carries LN(c) where the paper carries c."""
    peer = golden("tfa_layer_norm_lstm")
    layer = layers.LayerNormLSTM(5, carry_normalized=True, return_sequences=True, return_state=True)
    layer.build(peer["x"].shape)
    layer.set_weights(peer_weights(peer))
    for prefix, mask in (("", None), ("masked_", ops.convert_to_tensor(peer["mask"]))):
        outputs = layer(peer["x"], mask=mask)
        for y, name in zip(outputs, ("output", "state_h", "state_c"), strict=True):
            expected = peer[f"{prefix}{name}"]
            np.testing.assert_allclose(ops.convert_to_numpy(y), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("masked", [False, True])
def test_golden_gradients(masked):
    peer = golden("tfa_layer_norm_lstm")
    layer = layers.LayerNormLSTM(5, carry_normalized=True, return_sequences=True)
    layer.build(peer["x"].shape)
    mask = ops.convert_to_tensor(peer["mask"]) if masked else None
    other = [v.value for v in layer.non_trainable_variables]

    def total(x, *weights):
        y, _ = layer.stateless_call(list(weights), other, x, mask=mask)
        return ops.sum(ops.multiply(y, peer["cotangent"]))

    _, gradients = value_and_gradients(total, [peer["x"], *peer_weights(peer)])
    names = ("x",) if masked else ("x", *NAMES, *STATE_NAMES)
    prefix = "masked_" if masked else ""
    for name, gradient in zip(names, gradients, strict=False):
        expected = peer[f"{prefix}gradient_{name}"]
        np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("return_sequences", [False, True])
def test_weights_move_to_the_cell_and_back(rng, go_backwards, return_sequences):
    x = rng.normal(size=(2, 5, 3)).astype("float32")
    settings = {"go_backwards": go_backwards, "return_sequences": return_sequences}
    layer, _ = built(x.shape, rng, 4, **settings)
    rnn = keras.layers.RNN(layers.LayerNormLSTMCell(4), **settings)
    rnn.build(x.shape)
    rnn.set_weights(layer.get_weights()[:7])
    y, expected = ops.convert_to_numpy(layer(x)), ops.convert_to_numpy(rnn(x))
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def test_padding_only_keeps_the_initial_state(rng):
    x = rng.normal(size=(2, 4, 3)).astype("float32")
    mask = ops.convert_to_tensor(np.array([[True] * 4, [False] * 4]))
    y = ops.convert_to_numpy(built(x.shape, rng, 3)[0](x, mask=mask))
    assert y[0].any()
    np.testing.assert_array_equal(y[1], 0)


@pytest.mark.slow
def test_bidirectional_round_trip(rng):
    x = np.array([[3, 1, 2, 0], [1, 0, 0, 0]])
    model = keras.Sequential(
        [
            keras.Input((4,), dtype="int32"),
            keras.layers.Embedding(5, 3, mask_zero=True),
            keras.layers.Bidirectional(layers.LayerNormLSTM(2, dropout=0.2, recurrent_dropout=0.2)),
        ]
    )
    model.compile("sgd", "mse")
    model.fit(x, np.zeros((2, 4)), epochs=1, verbose=0)
    again = keras.Sequential.from_config(model.get_config())
    again.set_weights(model.get_weights())
    np.testing.assert_allclose(
        again.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5, atol=1e-6
    )


def test_backwards_half_sees_the_reversed_sequence(rng):
    x = rng.normal(size=(2, 5, 3)).astype("float32")
    both = keras.layers.Bidirectional(layers.LayerNormLSTM(2))
    y = ops.convert_to_numpy(both(x))
    alone = layers.LayerNormLSTM(2)
    alone.build(x.shape)
    alone.set_weights(both.backward_layer.get_weights())
    reverse = ops.convert_to_numpy(alone(x[:, ::-1].copy()))
    np.testing.assert_allclose(y[:, 2:], reverse, rtol=1e-5, atol=1e-6)


def test_stateful_goes_on_where_it_was(rng):
    x = rng.normal(size=(2, 6, 3)).astype("float32")
    whole, weights = built(x.shape, rng, 4)
    parts = layers.LayerNormLSTM(4, stateful=True)
    parts.build((2, 3, 3))
    parts.set_weights(weights + [np.zeros(v.shape) for v in parts.weights[7:]])
    parts(x[:, :3])
    y = ops.convert_to_numpy(parts(x[:, 3:]))
    np.testing.assert_allclose(y, ops.convert_to_numpy(whole(x)), rtol=1e-4, atol=1e-5)


def test_initial_state_is_taken(rng):
    x = rng.normal(size=(2, 6, 3)).astype("float32")
    layer, _ = built(x.shape, rng, 4, return_state=True)
    _, h, c = layer(x[:, :3])
    y, _, _ = layer(x[:, 3:], initial_state=[h, c])
    np.testing.assert_allclose(
        ops.convert_to_numpy(y), ops.convert_to_numpy(layer(x)[0]), rtol=1e-4, atol=1e-5
    )


def test_input_dropout_is_one_mask_for_all_steps(rng):
    """Some feature is dropped at every step: then what it held makes no difference."""
    x = np.ones((1, 5, 2), "float32")
    seen = set()
    for seed in range(12):
        layer = layers.LayerNormLSTM(3, dropout=0.5, seed=seed, return_sequences=True)
        other = layers.LayerNormLSTM(3, dropout=0.5, seed=seed, return_sequences=True)
        y = ops.convert_to_numpy(layer(x, training=True))
        other.build(x.shape)
        other.set_weights(layer.get_weights()[:7] + other.get_weights()[7:])
        moved = ops.convert_to_numpy(other(x * np.array([9, 1], "float32"), training=True))
        same = np.isclose(y, moved).all(-1)[0]
        assert same.all() or not same.any()
        seen.add(bool(same.all()))
    assert seen == {True, False}


@pytest.mark.parametrize("which", ["dropout", "recurrent_dropout"])
def test_dropout_acts_in_training_only(rng, which):
    x = rng.normal(size=(4, 5, 3)).astype("float32")
    layer, _ = built(x.shape, rng, 4, **{which: 0.5})
    plain, _ = built(x.shape, rng, 4)
    plain.set_weights(layer.get_weights()[:7] + plain.get_weights()[7:])
    y = ops.convert_to_numpy(layer(x))
    np.testing.assert_array_equal(y, ops.convert_to_numpy(plain(x)))
    first, second = (ops.convert_to_numpy(layer(x, training=True)) for _ in range(2))
    assert np.isfinite(first).all()
    assert (first != y).any()
    assert (first != second).any()


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 3, 2)])
@pytest.mark.parametrize("scale", [0.0, 1e6])
def test_degenerate_input_is_finite(rng, shape, scale):
    x = np.full(shape, scale, "float32")
    y = ops.convert_to_numpy(layers.LayerNormLSTM(1)(x))
    assert np.isfinite(y).all()


def test_float16(rng):
    x = rng.normal(size=(2, 5, 3)).astype("float32")
    layer, weights = built(x.shape, rng, 4, dtype="mixed_float16")
    y = layer(x)
    assert keras.backend.standardize_dtype(y.dtype) == "float16"
    expected = reference(x, weights[:7])[:, -1]
    np.testing.assert_allclose(ops.convert_to_numpy(ops.cast(y, "float32")), expected, atol=0.03)
