import copy

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.optimizers import (
    AdaptiveGradientClipping,
    GradientCentralization,
    Lookahead,
    Wrapper,
)

KERAS_OPTIMIZERS = [
    *("Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl"),
    *("Lamb", "Lion", "Muon", "Nadam", "RMSprop", "SGD"),
]
SETTINGS = [
    {},
    {"weight_decay": 0.1},
    {"clipnorm": 0.1},
    {"global_clipnorm": 0.1},
    {"use_ema": True, "ema_momentum": 0.5},
    {"gradient_accumulation_steps": 2},
    {"loss_scale_factor": 8.0, "clipvalue": 0.01},
    {"learning_rate": keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)},
]


class Nothing(Wrapper):
    """Every hook in use, nothing changed."""

    slots = {"copy": "weight"}

    def transform_gradients(self, gradients, variables):
        return [g * 1.0 for g in gradients]

    def after_update(self, weight, slot, step):
        return weight, slot


class Halve(Wrapper):
    def transform_gradients(self, gradients, variables):
        return [g * 0.5 for g in gradients]


class AddOne(Wrapper):
    def transform_gradients(self, gradients, variables):
        return [g + 1.0 for g in gradients]


def value(variable):
    return ops.convert_to_numpy(variable.value)


def run(optimizer, steps=5):
    rng = np.random.default_rng(1)
    variables = [keras.Variable(rng.normal(size=s).astype("float32")) for s in [(4, 3), (3,)]]
    for _ in range(steps):
        gradients = [ops.convert_to_tensor(rng.normal(size=v.shape, scale=2.0)) for v in variables]
        gradients = [ops.cast(g, "float32") for g in gradients]
        optimizer.apply(gradients, variables)
    optimizer.finalize_variable_values(variables)
    return [value(v) for v in variables]


def assert_same(actual, expected):
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", KERAS_OPTIMIZERS)
def test_reference_is_the_inner_optimizer_when_nothing_is_changed(name):
    make = getattr(keras.optimizers, name)
    assert_same(run(Nothing(make())), run(make()))


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: "-".join(s) or "plain")
def test_every_setting_of_the_inner_optimizer_is_kept(settings):
    assert_same(
        run(Nothing(keras.optimizers.Adam(**settings))), run(keras.optimizers.Adam(**settings))
    )


def test_wrappers_nest_outermost_first():
    w = keras.Variable(np.zeros(1, "float32"))
    Halve(AddOne(keras.optimizers.SGD(1.0))).apply([ops.full((1,), 4.0)], [w])
    np.testing.assert_allclose(value(w), -3.0)  # 4 / 2 + 1
    w = keras.Variable(np.zeros(1, "float32"))
    AddOne(Halve(keras.optimizers.SGD(1.0))).apply([ops.full((1,), 4.0)], [w])
    np.testing.assert_allclose(value(w), -2.5)  # (4 + 1) / 2


def test_transform_comes_before_clipping():
    w = keras.Variable(np.zeros(1, "float32"))
    AddOne(keras.optimizers.SGD(1.0, clipvalue=0.5)).apply([ops.full((1,), 4.0)], [w])
    np.testing.assert_allclose(value(w), -0.5)


def test_a_transform_sees_the_variables_that_have_gradients():
    seen = []

    class Look(Wrapper):
        def transform_gradients(self, gradients, variables):
            seen.extend(zip([tuple(g.shape) for g in gradients], variables, strict=True))
            return gradients

    a, b = keras.Variable(np.zeros((2, 3))), keras.Variable(np.zeros(4))
    optimizer = Look(keras.optimizers.SGD())
    optimizer.build([a, b])
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        optimizer.apply([None, ops.ones(4)], [a, b])
    assert seen == [((4,), b)]


def test_the_inner_optimizer_used_alone_is_as_it_was():
    inner = keras.optimizers.SGD(1.0)
    AddOne(inner)
    w = keras.Variable(np.zeros(1, "float32"))
    inner.apply([ops.ones(1)], [w])
    np.testing.assert_allclose(value(w), -1.0)


def test_copies_are_independent():
    optimizer = AddOne(keras.optimizers.SGD(1.0))
    twin = AddOne.from_config(copy.deepcopy(optimizer.get_config()))
    w = keras.Variable(np.zeros(1, "float32"))
    twin.apply([ops.ones(1)], [w])
    np.testing.assert_allclose(value(w), -2.0)
    assert twin.inner is not optimizer.inner


def test_a_keras_without_the_place_to_hook_into_is_an_error(monkeypatch):
    monkeypatch.delattr("keras.src.optimizers.base_optimizer.BaseOptimizer._clip_gradients")
    with pytest.raises(RuntimeError, match="_clip_gradients"):
        AddOne(keras.optimizers.SGD())


def test_loss_scaling_goes_outside():
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())
    with pytest.raises(ValueError, match=r"AddOne: `inner` .* put AddOne inside the LossScale"):
        AddOne(scaled)


@pytest.mark.skipif(not hasattr(keras.optimizers, "MultiOptimizer"), reason="Keras 3.13")
def test_part_of_a_multi_optimizer(rng):
    inputs = keras.Input((3,))
    x = keras.layers.Dense(4, name="body")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1, name="head")(x))
    chosen = {"body/.*": Lookahead(AdaptiveGradientClipping("adam"), sync_period=2)}
    each = keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.1), chosen)
    model.compile(keras.optimizers.MultiOptimizer(each), "mse")
    before = [value(v) for v in model.trainable_variables]
    model.fit(rng.normal(size=(16, 3)), rng.normal(size=(16, 1)), batch_size=4, verbose=0)
    for a, v in zip(before, model.trainable_variables, strict=True):
        assert np.all(np.isfinite(value(v)))
        assert not np.array_equal(a, value(v))


@pytest.mark.parametrize("make", [lambda: "sgd", lambda: GradientCentralization("sgd")])
def test_embeddings_train(rng, make):
    model = keras.Sequential(
        [keras.Input((2,), dtype="int32"), keras.layers.Embedding(7, 4), keras.layers.Flatten()]
    )
    model.compile(Lookahead(make(), 2), "mse")
    x, y = rng.integers(0, 7, (16, 2)), rng.normal(size=(16, 8))
    history = model.fit(x, y, batch_size=4, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]


def test_state_is_stored_once(tmp_path, rng):
    import zipfile

    import h5py

    model = keras.Sequential([keras.Input((50,)), keras.layers.Dense(40, use_bias=False)])
    model.compile(Lookahead(keras.optimizers.Adam()), "mse")
    model.fit(rng.normal(size=(4, 50)), rng.normal(size=(4, 40)), verbose=0)
    model.save(tmp_path / "model.keras")
    zipfile.ZipFile(tmp_path / "model.keras").extractall(tmp_path)
    sizes = []
    with h5py.File(tmp_path / "model.weights.h5") as file:
        file.visititems(lambda _, item: sizes.append(getattr(item, "size", 0)))
    assert sizes.count(50 * 40) == 4  # the kernel, two moments, the slow weights


def test_sharpness_aware_minimization_fits_in():
    """Two gradients on one batch: climb, take the gradient there, come back, step."""

    class SharpnessAware(Wrapper):
        slots = {"climb": "zeros"}
        rho = 0.1

        def climb(self, gradients, variables):
            norm = ops.sqrt(sum(ops.sum(ops.square(g)) for g in gradients))
            for g, v, e in zip(gradients, variables, *self._slots, strict=True):
                e.assign(self.rho * g / norm)
                v.assign(v + e)

        def apply(self, grads, trainable_variables=None):
            for v, e in zip(self._trainable_variables, *self._slots, strict=True):
                v.assign(v - e)
            super().apply(grads, trainable_variables)

    def gradient(w):
        return np.array([2.0, 20.0]) * w

    w = keras.Variable(np.array([1.0, 1.0], "float32"))
    expected = np.array([1.0, 1.0])
    optimizer = SharpnessAware(Lookahead(keras.optimizers.SGD(0.01), sync_period=100))
    optimizer.build([w])
    for _ in range(5):
        g = gradient(expected)
        expected = expected - 0.01 * gradient(expected + 0.1 * g / np.linalg.norm(g))
        optimizer.climb([ops.convert_to_tensor(gradient(value(w)).astype("float32"))], [w])
        optimizer.apply([ops.convert_to_tensor(gradient(value(w)).astype("float32"))], [w])
        np.testing.assert_allclose(value(w), expected, rtol=1e-4)
