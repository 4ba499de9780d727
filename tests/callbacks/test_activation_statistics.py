import copy
import warnings

import keras
import numpy as np
import pytest

from kcatalog.callbacks import ActivationStatistics
from tests.callbacks.events import read


def make(first="relu"):
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, name="first"),
            keras.layers.Activation(first, name="bent"),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(2, name="second"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


@pytest.fixture
def data(rng):
    return rng.normal(size=(24, 3)).astype("float32"), rng.normal(size=(24, 2)).astype("float32")


def measured(model, *probe, **options):
    """Return the statistics of one measurement, without training."""
    watch = ActivationStatistics(probe, **options)
    watch.set_model(model)
    watch.start()
    watch.measure()
    return watch.statistics


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "linear"])
def test_reference(data, activation):
    x, y = data
    model = make(activation)
    (w1, b1), (w2, b2) = (model.get_layer(n).get_weights() for n in ("first", "second"))
    w1 *= 3
    model.get_layer("first").set_weights([w1, b1])
    statistics = measured(model, x, y)
    functions = {
        "relu": lambda a: np.maximum(a, 0),
        "tanh": np.tanh,
        "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
        "linear": lambda a: a,
    }
    first = x @ w1 + b1
    bent = functions[activation](first)
    assert list(statistics) == ["first", "bent", "second"]
    for name, a in (("first", first), ("bent", bent), ("second", bent @ w2 + b2)):
        found = statistics[name]
        assert found["mean"] == pytest.approx(a.mean(), abs=1e-5)
        assert found["deviation"] == pytest.approx(a.std(), rel=1e-4)
        assert found["zeros"] == pytest.approx((a == 0).mean())
    ends = {"tanh": (-1, 1), "sigmoid": (0, 1)}.get(activation)
    if ends is None:
        assert "saturated" not in statistics["bent"]
    else:
        edge = 0.05 * (ends[1] - ends[0])
        expected = np.mean((bent < ends[0] + edge) | (bent > ends[1] - edge))
        assert 0 < expected < 1
        assert statistics["bent"]["saturated"] == pytest.approx(expected)


def test_dead_units_take_a_window_and_warn_once(data, tmp_path):
    x, y = data
    model = make()
    kernel, bias = model.get_layer("first").get_weights()
    kernel[:, :3], bias[:3] = 0, -1
    model.get_layer("first").set_weights([kernel, bias])
    watch = ActivationStatistics((x, y), tmp_path, every_steps=1, dead=0.7, window=3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(x, y, batch_size=4, verbose=0, callbacks=[watch])
    said = [str(w.message) for w in caught if "ActivationStatistics" in str(w.message)]
    assert len(said) == 1
    assert "layer 'bent' is dead at step 3: 75% of its units" in said[0]
    shares = read(tmp_path)["dead_units/bent"]
    assert list(shares.values()) == pytest.approx([0, 0, 0.75, 0.75, 0.75, 0.75])


class Wake(keras.callbacks.Callback):
    """Gives one unit of the first layer a bias that wakes it after a step."""

    def __init__(self, after):
        super().__init__()
        self.after = after

    def on_train_batch_end(self, batch, logs=None):
        if batch + 1 == self.after:
            layer = self.model.get_layer("first")
            layer.bias.assign([100.0, -100.0, -100.0, -100.0])


def test_a_unit_that_wakes_is_not_dead(data, tmp_path):
    x, y = data
    model = make()
    kernel, bias = model.get_layer("first").get_weights()
    bias[:] = -100
    model.get_layer("first").set_weights([kernel, bias])
    model.get_layer("second").set_weights([np.ones((4, 2)), np.ones(2)])
    watch = ActivationStatistics((x, y), tmp_path, every_steps=1, window=3)
    with pytest.warns(RuntimeWarning, match="'bent' is dead at step 3: 100% of its units"):
        model.fit(x, y, batch_size=4, verbose=0, callbacks=[watch, Wake(after=4)])
    shares = read(tmp_path)["dead_units/bent"]
    assert shares == {1: 0, 2: 0, 3: 1, 4: 1, 5: 0.75, 6: 0.75}


def inner_functional(inputs):
    inner = keras.Input((3,))
    hidden = keras.layers.Dense(4, "tanh", name="hidden")(inner)
    outputs = keras.layers.Dense(2, "tanh", name="body")(hidden)
    return keras.Model(inner, outputs, name="nested")(inputs)


def inner_sequential(inputs):
    layers = [keras.Input((3,)), keras.layers.Dense(2, "tanh", name="body")]
    return keras.Sequential(layers, name="nested")(inputs)


def reused_layer(inputs):
    first = keras.Input((3,))
    other = keras.Model(first, keras.layers.Dense(2, "tanh", name="nested")(first))
    return other.get_layer("nested")(inputs)


def called_twice(inputs):
    layer = keras.layers.Dense(3, "tanh", name="nested")
    return layer(keras.layers.Rescaling(2.0)(layer(inputs)))


@pytest.mark.parametrize("inside", [inner_functional, inner_sequential, reused_layer, called_twice])
def test_a_layer_is_watched_where_this_model_first_calls_it(data, inside):
    x, y = data
    inputs = keras.Input((3,))
    middle = inside(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, name="head")(middle))
    statistics = measured(model, x, y)
    assert list(statistics) == ["nested", "head"]
    head = keras.ops.convert_to_numpy(model(x))
    nested = keras.ops.convert_to_numpy(model.get_layer("nested")(x))
    for name, a in (("nested", nested), ("head", head)):
        assert statistics[name]["mean"] == pytest.approx(a.mean(), abs=1e-5)
        assert statistics[name]["deviation"] == pytest.approx(a.std(), rel=1e-4)


def test_models_in_a_sequential_model_are_watched(data):
    x, y = data
    inner = keras.Input((3,))
    block = keras.Model(inner, keras.layers.Dense(2)(inner), name="nested")
    model = keras.Sequential([block, keras.layers.Dense(2, name="head")])
    assert list(measured(model, x, y)) == ["nested", "head"]


def test_channels_are_units_and_recurrent_layers_have_bounds(rng):
    inputs = keras.Input((6, 3))
    x = keras.layers.Conv1D(5, 2, activation="relu", name="convolution")(inputs)
    x = keras.layers.Bidirectional(keras.layers.GRU(4), name="recurrent")(x)
    model = keras.Model(inputs, keras.layers.Dense(1, name="head")(x))
    kernel, bias = model.get_layer("convolution").get_weights()
    kernel[..., 0], bias[0] = 0, -1
    model.get_layer("convolution").set_weights([kernel, bias])
    statistics = measured(model, rng.normal(size=(8, 6, 3)), rng.normal(size=(8, 1)), window=1)
    assert statistics["convolution"]["dead_units"] == pytest.approx(1 / 5)
    assert statistics["recurrent"]["saturated"] < 1
    assert "saturated" not in statistics["head"]


def test_state_of_stateful_layers_is_left_alone(rng):
    inputs = keras.Input((6, 3), batch_size=4)
    layer = keras.layers.GRU(4, stateful=True, name="recurrent")
    model = keras.Model(inputs, layer(inputs))
    x = rng.normal(size=(4, 6, 3)).astype("float32")
    expected = model.predict(x, verbose=0)
    layer.reset_states()
    measured(model, 10 * x, x)
    assert np.allclose(model.predict(x, verbose=0), expected, atol=1e-6)


class Subclassed(keras.Model):
    """The layers of `make`, the hidden ones in a list."""

    def __init__(self):
        super().__init__()
        self.first = keras.layers.Dense(4, name="first")
        self.rest = [keras.layers.Activation("relu", name="bent"), keras.layers.Dropout(0.5)]
        self.second = keras.layers.Dense(2, name="second")

    def call(self, x):
        x = self.first(x)
        for layer in self.rest:
            x = layer(x)
        return self.second(x)


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_a_subclassed_model_is_watched_as_a_functional_one(data, run_eagerly):
    x, y = data
    model, twin = Subclassed(), make()
    model.compile(keras.optimizers.SGD(0.0), "mse", run_eagerly=run_eagerly)
    watch = ActivationStatistics((x,), every_steps=1)
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[watch])
    assert watch.measured == 3
    twin.set_weights(model.get_weights())
    expected = measured(twin, x, y)
    assert list(watch.statistics) == ["first", "bent", "second"]
    for name, numbers in expected.items():
        assert watch.statistics[name] == pytest.approx(numbers, rel=1e-4, abs=1e-6)
    assert not [layer for layer in model.layers if "call" in vars(layer)]


@pytest.mark.tensorflow
def test_a_model_that_only_runs_eagerly_is_not_traced(data):
    class Branches(Subclassed):
        def build(self, input_shape):
            self.first.build(input_shape)
            self.second.build((None, 4))

        def call(self, x):
            return super().call(x if x.numpy().max() < 1e6 else -x)

    x, y = data
    model, watch = Branches(), ActivationStatistics((x, y), every_steps=1)
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(x, y, verbose=0, callbacks=[watch])
    assert list(watch.statistics) == ["first", "bent", "second"]


def test_a_model_of_other_widths_starts_anew(data):
    x, y = data
    watch = ActivationStatistics((x, y), every_steps=1)
    for units in (4, 5):
        model = keras.Sequential([keras.layers.Dense(units, name="first"), keras.layers.Dense(2)])
        model.compile("sgd", "mse")
        model.fit(x, y, batch_size=8, verbose=0, callbacks=[watch])
        assert watch.measured == 3
        assert watch._step == 3


def test_copies_before_and_after(data):
    x, y = data
    watch = copy.deepcopy(ActivationStatistics((x[:4], y[:4]), every_steps=2))
    make().fit(x, y, batch_size=4, verbose=0, callbacks=[watch])
    assert copy.deepcopy(watch).statistics == watch.statistics
    assert watch.measured == 3
