"""Recurrent layers keep what Keras's tests expect of LSTM, GRU, RNN and their wrappers.

In our own words: most expectations hold a layer against itself on other input, so they do for any.
"""

import inspect
import itertools

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import initializers, layers

UNITS, FEATURES, STEPS = 4, 3, 5


def layer_norm_lstm(**options):
    return layers.LayerNormLSTM(UNITS, **options)


def rnn_of_cells(**options):
    return keras.layers.RNN(layers.LayerNormLSTMCell(UNITS), **options)


each = pytest.mark.parametrize("make", [layer_norm_lstm, rnn_of_cells])


@pytest.fixture
def x(rng):
    return rng.normal(size=(2, STEPS, FEATURES)).astype("float32")


def twins(make, *options, batch=2):
    """Layers with the same random weights, of these options."""
    made = [make(**each) for each in options]
    for layer in made:
        layer.build((batch, STEPS, FEATURES))
        rng = np.random.default_rng(1)
        for v in layer.trainable_variables:
            v.assign(rng.normal(size=v.shape))
    return made


def numbers(outputs):
    return [ops.convert_to_numpy(o) for o in keras.tree.flatten(outputs)]


def expect_equal(actual, expected):
    for a, b in zip(numbers(actual), numbers(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@each
def test_sequences_and_states(make, x):
    whole, last = twins(make, {"return_sequences": True, "return_state": True}, {})
    sequence, h, _ = whole(x)
    assert sequence.shape == (2, STEPS, UNITS)
    expect_equal([sequence[:, -1], h], [last(x), h])
    expect_equal(last(x), h)


@each
def test_backwards(make, x):
    forwards, backwards = twins(
        make, {"return_sequences": True}, {"return_sequences": True, "go_backwards": True}
    )
    expect_equal(backwards(x), forwards(x[:, ::-1].copy()))


@each
def test_unrolled(make, x):
    rolled, unrolled = twins(make, {}, {"unroll": True})
    mask = np.array([[True] * STEPS, [True, False, True, False, False]])
    expect_equal(unrolled(x, mask=mask), rolled(x, mask=mask))


@each
def test_masked_steps_are_as_if_they_were_not_there(make, x):
    """Behind, before and between real steps, and where none is real."""
    (layer,) = twins(make, {"return_state": True})
    real = np.array([[0, 1, 2], [1, 2, 4]])
    mask = np.zeros((2, STEPS), bool)
    np.put_along_axis(mask, real, True, axis=1)
    expected = layer(np.take_along_axis(x, real[..., None], axis=1))
    expect_equal(layer(x, mask=ops.convert_to_tensor(mask)), expected)

    states = [np.full((2, UNITS), 0.5, "float32"), np.full((2, UNITS), -0.25, "float32")]
    mask[0] = False
    _, h, c = layer(x, mask=ops.convert_to_tensor(mask), initial_state=states)
    np.testing.assert_allclose(numbers(h)[0][0], 0.5)
    np.testing.assert_allclose(numbers(c)[0][0], -0.25)


@each
def test_output_at_masked_steps(make, x):
    options = {"return_sequences": True}
    repeats, zeros = twins(make, options, {**options, "zero_output_for_mask": True})
    mask = ops.convert_to_tensor(np.array([[True, False, True, False, False]] * 2))
    (y,), (z,) = numbers(repeats(x, mask=mask)), numbers(zeros(x, mask=mask))
    np.testing.assert_array_equal(y[:, 1], y[:, 0])
    np.testing.assert_array_equal(z[:, [1, 3, 4]], 0)
    np.testing.assert_allclose(z[:, [0, 2]], y[:, [0, 2]], rtol=1e-5)


@each
def test_variable_length(make, x):
    """One built layer takes any number of steps, in a model of unknown length too."""
    (layer,) = twins(make, {})
    inputs = keras.Input((None, FEATURES))
    model = keras.Model(inputs, layer(inputs))
    for steps in (1, STEPS):
        expect_equal(model.predict(x[:, :steps], verbose=0), layer(x[:, :steps]))


@each
def test_stateful(make, x):
    plain, stateful = twins(make, {}, {"stateful": True})
    stateful(x[:, :2])
    expect_equal(stateful(x[:, 2:]), plain(x))
    stateful.reset_state()
    expect_equal(stateful(x), plain(x))
    with pytest.raises(ValueError, match="batch size"):
        stateful(np.concatenate([x, x]))
    with pytest.raises(ValueError, match="batch size must be static"):
        make(stateful=True)(keras.Input((STEPS, FEATURES)))


@each
def test_initial_state_from_another_layer(make, x):
    """As an encoder hands its states to a decoder, in a functional model."""
    encoder, decoder, whole = twins(make, {"return_state": True}, {}, {})
    before, after = keras.Input((2, FEATURES)), keras.Input((None, FEATURES))
    _, *states = encoder(before)
    model = keras.Model([before, after], decoder(after, initial_state=states))
    expect_equal(model.predict([x[:, :2], x[:, 2:]], verbose=0), whole(x))


@each
@pytest.mark.parametrize("mode", ["concat", "sum", None])
def test_bidirectional(make, x, mode):
    both = keras.layers.Bidirectional(make(return_sequences=True), merge_mode=mode)
    mask = np.array([[True] * STEPS, [True, True, False, False, False]])
    y = both(x, mask=ops.convert_to_tensor(mask))
    there, back = (
        numbers(half(x, mask=ops.convert_to_tensor(mask)))[0]
        for half in (both.forward_layer, both.backward_layer)
    )
    back = back[:, ::-1]
    if mode is None:
        expect_equal(y, [there, back])
    else:
        expect_equal(y, np.concatenate([there, back], -1) if mode == "concat" else there + back)


def test_bidirectional_states(x):
    both = keras.layers.Bidirectional(layer_norm_lstm(return_state=True, dropout=0.1))
    y, *states = both(x)
    expect_equal(y, np.concatenate([numbers(states)[0], numbers(states)[2]], axis=-1))
    again, *_ = both(x, initial_state=states)
    assert np.abs(numbers(again)[0] - numbers(y)[0]).max() > 1e-3


@each
def test_time_distributed(make, rng):
    """As `keras.layers.LSTM` does, a float32 layer runs in a wrapper of a mixed policy."""
    (layer,) = twins(make, {})
    x = rng.normal(size=(2, 2, STEPS, FEATURES)).astype("float32")
    wrapper = keras.layers.TimeDistributed(layer, dtype="mixed_float16")
    expected = np.stack([numbers(layer(x[:, i]))[0] for i in range(2)], axis=1)
    y = ops.convert_to_numpy(ops.cast(wrapper(x), "float32"))
    np.testing.assert_allclose(y, expected, atol=2e-2)


@pytest.mark.slow
def test_time_distributed_trains_in_mixed_precision(rng):
    model = keras.Sequential(
        [
            keras.Input((2, STEPS, FEATURES)),
            keras.layers.TimeDistributed(
                layer_norm_lstm(dropout=0.2, recurrent_dropout=0.2), dtype="mixed_float16"
            ),
        ]
    )
    model.compile("sgd", "mse")
    x = rng.normal(size=(4, 2, STEPS, FEATURES)).astype("float32")
    loss = model.train_on_batch(x, np.ones((4, 2, UNITS)))
    assert np.isfinite(loss)
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_a_stack_of_cells_is_a_stack_of_layers(x):
    stack = keras.layers.RNN([layers.LayerNormLSTMCell(UNITS), layers.LayerNormLSTMCell(2)])
    first, second = layer_norm_lstm(return_sequences=True), layers.LayerNormLSTM(2)
    y = second(first(x))
    stack.build(x.shape)
    stack.set_weights([w for one in (first, second) for w in one.get_weights()[:7]])
    expect_equal(stack(x), y)


def test_recurrent_dropout_is_one_mask_for_all_steps(x):
    """It is as if some units' rows of the recurrent kernel were zero, and the others doubled."""
    options = {"return_sequences": True}
    dropped, plain = twins(layer_norm_lstm, {**options, "recurrent_dropout": 0.5}, options, batch=1)
    (y,) = numbers(dropped(x[:1], training=True))
    kernel = next(v for v in plain.weights if "recurrent_kernel" in v.path)
    whole, same = numbers(kernel)[0], []
    for kept in itertools.product([0, 2], repeat=UNITS):
        kernel.assign(whole * np.array(kept)[:, None])
        same.append(np.allclose(numbers(plain(x[:1]))[0], y, rtol=1e-4, atol=1e-5))
    assert sum(same) == 1


# --- options of keras.layers.LSTM -------------------------------------------------------


def test_options_of_lstm_are_taken():
    theirs, ours = (
        list(inspect.signature(cls).parameters) for cls in (keras.layers.LSTM, layers.LayerNormLSTM)
    )
    passed_on = {"return_state", "go_backwards", "stateful", "unroll", "activity_regularizer"}
    assert set(theirs) - set(ours) == passed_on | {"use_cudnn"}
    layer = layers.LayerNormLSTM(2, **dict.fromkeys(passed_on, None))
    assert passed_on - {"activity_regularizer"} <= set(layer.get_config())


@each
def test_no_bias(make, x):
    cell = {"use_bias": False}
    layer = layers.LayerNormLSTM(UNITS, **cell)
    if make is rnn_of_cells:
        layer = keras.layers.RNN(layers.LayerNormLSTMCell(UNITS, **cell))
    zero = make()
    layer.build(x.shape)
    zero.build(x.shape)
    named = {v.path.rpartition("/")[2]: v for v in layer.trainable_variables}
    assert len(named) == 6
    for v in zero.trainable_variables:
        other = named.get(v.path.rpartition("/")[2])
        v.assign(ops.zeros(v.shape) if other is None else other)
    expect_equal(layer(x), zero(x))


def test_bias_is_initialized_regularized_and_constrained():
    layer = layers.LayerNormLSTM(
        2,
        bias_initializer=keras.initializers.Constant(0.5),
        bias_regularizer=keras.regularizers.L1(1.0),
        kernel_constraint="non_neg",
        recurrent_constraint="unit_norm",
        bias_constraint="non_neg",
    )
    layer.build((None, 3, 1))
    bias = {v.path.rpartition("/")[2]: v for v in layer.weights}["bias"]
    np.testing.assert_array_equal(ops.convert_to_numpy(bias), [0.5, 0.5, 1, 1] + [0.5] * 4)
    (penalty,) = layer.losses
    assert numbers(penalty)[0] == pytest.approx(5.0)
    constrained = [v.constraint is not None for v in layer.trainable_variables]
    assert constrained == [True, True, True, False, False, False, False]


def test_chrono_initializes_the_gates():
    chrono = initializers.Chrono(50, UNITS, seed=0)
    layer = layers.LayerNormLSTM(UNITS, bias_initializer=chrono, unit_forget_bias=False)
    layer.build((None, STEPS, FEATURES))
    expected = numbers(chrono((4 * UNITS,)))[0]
    np.testing.assert_array_equal(numbers(layer.cell._b)[0], expected)
    again = type(layer).from_config(layer.get_config())
    again.build((None, STEPS, FEATURES))
    np.testing.assert_array_equal(numbers(again.cell._b)[0], expected)
    with pytest.raises(ValueError, match="give an LSTM unit_forget_bias=False"):
        layers.LayerNormLSTM(UNITS, bias_initializer=chrono).build((None, STEPS, FEATURES))
