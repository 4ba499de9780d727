import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from kcatalog.conformance import backend

L = keras.layers


def reference(x, kernel, masks, rate):
    """Section 3 of Wan et al. without an activation, one weight at a time."""
    y = np.zeros((len(x), kernel.shape[1]))
    for n, i, j in np.ndindex(len(x), *kernel.shape):
        y[n, j] += x[n, i] * kernel[i, j] * masks[i, j] / (1 - rate)
    return y


def test_reference(rng):
    """Unit vectors as input show the kernel that was used; one call has one mask."""
    layer = layers.DropConnect(L.Dense(5, use_bias=False), rate=0.25, seed=1)
    x = np.concatenate([np.eye(40), rng.normal(size=(3, 40))]).astype("float32")
    y = backend.as_numpy(layer(x, training=True))
    kernel = layer.layer.kernel.numpy()
    masks = y[:40] != 0
    assert 0.1 < 1 - masks.mean() < 0.4
    np.testing.assert_allclose(y, reference(x, kernel, masks, 0.25), rtol=1e-4, atol=1e-5)
    plain = backend.as_numpy(layer(x))
    np.testing.assert_allclose(plain, x @ kernel, rtol=1e-4, atol=1e-5)


def test_recurrent_kernel_is_dropped_for_all_steps_of_a_call(rng):
    """An echo of 1 is kept over every step, or lost at once."""
    rnn = L.SimpleRNN(
        60,
        None,
        use_bias=False,
        kernel_initializer="ones",
        recurrent_initializer="identity",
        return_sequences=True,
    )
    layer = layers.DropConnect(rnn, 0.5, weight_names=("recurrent_kernel",), seed=1)
    x = np.zeros((2, 6, 1), "float32")
    x[:, 0] = 1.0
    y = backend.as_numpy(layer(x, training=True))
    np.testing.assert_allclose(y[0], y[1])
    np.testing.assert_allclose(y[0, 0], 1.0)
    kept = y[0, 1] > 0
    assert 0 < kept.sum() < 60
    np.testing.assert_allclose(y[0, :, kept], np.tile(2.0 ** np.arange(6), (kept.sum(), 1)))
    np.testing.assert_allclose(y[0, 1:, ~kept], 0.0)


def test_states_of_the_wrapped_layer_pass_through(rng):
    x, h, c = rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 4)), rng.normal(size=(2, 4))
    lstm = L.LSTM(4, return_state=True)
    layer = layers.DropConnect(lstm, weight_names=("kernel", "recurrent_kernel"))
    states = [ops.convert_to_tensor(s.astype("float32")) for s in (h, c)]
    results = [f(x.astype("float32"), initial_state=states) for f in (layer, lstm)]
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(backend.as_numpy(one), backend.as_numpy(other), 1e-4, 1e-5)


def test_a_stateful_layer_keeps_its_state(rng):
    layer = layers.DropConnect(L.GRU(4, stateful=True), weight_names=("recurrent_kernel",))
    x = rng.normal(size=(2, 5, 3)).astype("float32")
    first, second = (backend.as_numpy(layer(x)) for _ in range(2))
    assert np.abs(first - second).max() > 1e-3


def test_penalties_of_the_wrapped_layer_count():
    inner = L.Dense(4, kernel_regularizer="l2", activity_regularizer="l2")
    layer = layers.DropConnect(inner, 0.5)
    layer(np.ones((2, 3), "float32"), training=True)
    assert len(layer.losses) == 2


@pytest.mark.parametrize("wrapper", [layers.DropConnect, layers.WeightNormalization])
def test_a_frozen_model_is_loaded(rng, wrapper, tmp_path):
    x = rng.normal(size=(3, 5)).astype("float32")
    model = keras.Sequential([keras.Input((5,)), wrapper(L.Dense(4))])
    model.trainable = False
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert not again.trainable_weights
    np.testing.assert_allclose(*(backend.as_numpy(m(x)) for m in (model, again)), rtol=1e-5)
    y = backend.as_numpy(again(x, training=True))
    assert np.isfinite(y).all()


def test_names_of_no_weight_are_told():
    with pytest.raises(ValueError, match="Its weights: bias, kernel"):
        layers.DropConnect(L.Dense(4), weight_names=("recurrent_kernel",)).build((None, 3))
