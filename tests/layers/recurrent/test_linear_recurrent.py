"""The facts that all layers with a linear recurrence share."""

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from kcatalog.conformance.backend import value_and_gradients
from tests.golden.load import golden

UNITS, FEATURES, STEPS = 4, 3, 6
SEQUENCES = {"return_sequences": True}
LAYERS = {
    "min_gru": (layers.MinGRU, {"activation": "tanh"}),
    "min_lstm": (layers.MinLSTM, {"activation": "tanh"}),
    "sru": (layers.SRU, {"highway_bias": -1.0, "rescale": True}),
    "qrnn": (layers.QRNN, {"kernel_size": 3, "pooling": "ifo"}),
    "lru": (layers.LRU, {"state_units": 5}),
}
each = pytest.mark.parametrize("name", LAYERS)


def made(name, weights=None, batch=2, **options):
    cls, arguments = LAYERS[name]
    layer = cls(UNITS, **arguments, **options)
    layer.build((batch, STEPS, FEATURES))
    if weights is None:
        rng = np.random.default_rng(1)
        weights = [rng.normal(size=v.shape) for v in layer.trainable_variables]
    for v, w in zip(layer.trainable_variables, weights, strict=True):
        v.assign(w)
    return layer


@pytest.fixture
def x(rng):
    return rng.normal(size=(2, STEPS, FEATURES)).astype("float32")


def expect_equal(actual, expected):
    pairs = zip(keras.tree.flatten(actual), keras.tree.flatten(expected), strict=True)
    for a, b in pairs:
        a, b = ops.convert_to_numpy(a), ops.convert_to_numpy(b)
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@each
def test_golden(name):
    peer = golden("torch_linear_recurrence")
    own = {k.removeprefix(f"{name}_"): v for k, v in peer.items() if k.startswith(f"{name}_")}
    weights = [own[f"weight_{i}"] for i in range(sum(k.startswith("weight") for k in own))]
    layer = made(name, weights, **SEQUENCES)
    expect_equal(layer(own["x"]), own["y"])
    other = [v.value for v in layer.non_trainable_variables]

    def total(x, *weights):
        y, _ = layer.stateless_call(list(weights), other, x)
        return ops.sum(ops.multiply(y, own["cotangent"]))

    _, gradients = value_and_gradients(total, [own["x"], *weights])
    for i, gradient in enumerate(gradients):
        expected = own[f"gradient_{i}"]
        np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-4, err_msg=str(i))


@each
def test_all_steps_at_once_are_one_after_the_other(name, x):
    """With the state handed on, as a program would that serves a stream."""
    layer = made(name, return_state=True, **SEQUENCES)
    whole, *last = layer(x)
    y, *states = layer(x[:, :1])
    outputs = [y]
    for t in range(1, STEPS):
        y, *states = layer(x[:, t : t + 1], initial_state=states)
        outputs.append(y)
    expect_equal([ops.concatenate(outputs, axis=1), *states], [whole, *last])


@each
def test_masked_steps_are_as_if_they_were_not_there(name, x):
    """Behind, before and between real steps, and where none is real."""
    layer = made(name, return_state=True)
    real = np.array([[0, 1, 2], [1, 3, 4]])
    mask = np.zeros((2, STEPS), bool)
    np.put_along_axis(mask, real, True, axis=1)
    expected = layer(np.take_along_axis(x, real[..., None], axis=1))
    padded = np.where(mask[..., None], x, np.float32("nan"))
    expect_equal(layer(padded, mask=ops.convert_to_tensor(mask)), expected)

    states = [np.full(ops.shape(s), 0.5, "float32") for s in expected[1:]]
    mask[0] = False
    y, *after = layer(x, mask=ops.convert_to_tensor(mask), initial_state=states)
    expect_equal([y[0], *(s[0] for s in after)], [np.zeros(UNITS), *(s[0] for s in states)])


@each
def test_output_at_masked_steps(name, x):
    repeats, zeros = made(name, **SEQUENCES), made(name, **SEQUENCES, zero_output_for_mask=True)
    mask = ops.convert_to_tensor(np.array([[False, True, False, True, False, False]] * 2))
    y, z = (ops.convert_to_numpy(layer(x, mask=mask)) for layer in (repeats, zeros))
    np.testing.assert_array_equal(y[:, 0], 0)
    np.testing.assert_array_equal(y[:, [2, 4, 5]], y[:, [1, 3, 3]])
    np.testing.assert_array_equal(z[:, [0, 2, 4, 5]], 0)
    np.testing.assert_array_equal(z[:, [1, 3]], y[:, [1, 3]])


@each
def test_backwards_and_bidirectional(name, x):
    forwards, backwards = made(name, **SEQUENCES), made(name, **SEQUENCES, go_backwards=True)
    expect_equal(backwards(x), forwards(x[:, ::-1].copy()))
    both = keras.layers.Bidirectional(made(name, **SEQUENCES))
    mask = ops.convert_to_tensor(np.arange(STEPS) < np.array([[STEPS], [2]]))
    there, back = (half(x, mask=mask) for half in (both.forward_layer, both.backward_layer))
    expect_equal(both(x, mask=mask), ops.concatenate([there, ops.flip(back, 1)], -1))


@each
def test_stateful_goes_on_where_it_was(name, x):
    plain, stateful = made(name), made(name, stateful=True)
    stateful(x[:, :2])
    expect_equal(stateful(x[:, 2:]), plain(x))
    stateful.reset_state()
    expect_equal(stateful(x), plain(x))


@each
def test_unknown_length(name, x):
    layer = made(name)
    inputs = keras.Input((None, FEATURES))
    model = keras.Model(inputs, layer(inputs))
    for steps in (1, STEPS):
        expect_equal(model(x[:, :steps]), layer(x[:, :steps]))


@each
@pytest.mark.parametrize("which", ["dropout", "recurrent_dropout"])
def test_dropout_keeps_the_mean_and_acts_in_training_only(name, which, rng):
    """The state is linear in what is added to it, and what is added at the first step."""
    layer = made(name, batch=None, **{which: 0.5}, return_state=True)
    x = np.repeat(rng.normal(size=(1, 2, FEATURES)).astype("float32"), 4000, axis=0)
    wanted, found = (ops.convert_to_numpy(layer(x, training=t)[1]) for t in (False, True))
    expect_equal(wanted, np.repeat(wanted[:1], 4000, axis=0))
    assert found.std(axis=0).max() > 0.1
    if which == "recurrent_dropout":
        np.testing.assert_allclose(found.mean(axis=0), wanted[0], atol=0.1)
        # half of the units took in nothing at any step
        np.testing.assert_allclose((found == 0).mean(), 0.5, atol=0.05)
