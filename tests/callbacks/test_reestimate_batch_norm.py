import copy

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.callbacks import ReestimateBatchNorm, reestimate_batch_norm
from kcatalog.optimizers import StochasticWeightAveraging


def value(variable):
    return ops.convert_to_numpy(variable)


def statistics(layer):
    return value(layer.moving_mean), value(layer.moving_variance)


def make(rate=0.0):
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(4, "tanh"),
            keras.layers.Dropout(rate, seed=1),
            keras.layers.BatchNormalization(momentum=0.5),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=True)
    return model


@pytest.fixture
def data(rng):
    x = rng.normal(size=(10, 3)).astype("float32") * [1, 3, 0.1] + [0, 5, -1]
    return x.astype("float32"), rng.normal(size=(10, 1)).astype("float32")


def reference(model, batches):
    """Loops over batches: what each layer is given, and the moments of all of it together."""
    first, dense, _, second, _ = model.layers
    kernel, bias = map(value, (dense.kernel, dense.bias))
    given = {first: [], second: []}
    for x in batches:
        mean, variance = x.mean(axis=0), x.var(axis=0)
        given[first].append((len(x), mean, variance))
        x = (x - mean) / np.sqrt(variance + first.epsilon) * value(first.gamma) + value(first.beta)
        h = np.tanh(x @ kernel + bias)
        given[second].append((len(h), h.mean(axis=0), h.var(axis=0)))
    found = {}
    for layer, moments in given.items():
        total = sum(n for n, _, _ in moments)
        mean = sum(n * m for n, m, _ in moments) / total
        found[layer] = mean, sum(n * (v + (m - mean) ** 2) for n, m, v in moments) / total
    return found


@pytest.mark.parametrize("kind", ["arrays", "batches", "pairs", "steps"])
def test_reference(data, kind):
    x, y = data
    model = make()
    batches = [x[:4], x[4:8], x[8:]]
    given = {
        "arrays": ((x, y), None),
        "batches": (batches, None),
        "pairs": ([(b, b[:, :1]) for b in batches], None),
        "steps": (x, 2),
    }
    given, steps = given[kind]
    assert reestimate_batch_norm(model, given, steps, batch_size=4) == 2
    for layer, expected in reference(model, batches[:steps]).items():
        for a, b in zip(statistics(layer), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        value(model.layers[0].moving_variance),
        x[: 4 * steps if steps else 10].var(axis=0),
        rtol=1e-4,
    )


def test_nothing_else_changes_and_training_goes_on_as_it_would(data):
    x, y = data
    ends = []
    for reestimate in (False, True):
        keras.utils.set_random_seed(3)
        model = make(rate=0.5)
        model.fit(x, y, batch_size=5, shuffle=False, verbose=0)
        before = [value(v) for v in model.variables]
        if reestimate:
            state = [np.array(a) for a in before]
            reestimate_batch_norm(model, (x,))
            moved = {
                v.path for v, b in zip(model.variables, state, strict=True) if (value(v) != b).any()
            }
            assert len(moved) == 4
            assert all("moving_" in path for path in moved)
            assert [b.momentum for b in model.layers if hasattr(b, "momentum")] == [0.99, 0.5]
        model.layers[0].moving_mean.assign(np.zeros(3))
        if keras.backend.backend() == "torch":  # whose generator dropout draws from
            keras.utils.set_random_seed(3)
        model.fit(x, y, batch_size=5, shuffle=False, verbose=0)
        ends.append([value(v) for v in model.trainable_variables])
    for a, b in zip(*ends, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_after_an_error_all_is_as_it_was(data):
    x, _ = data
    model = make()
    before = [value(v) for v in model.variables]

    def broken():
        yield x[:4]
        raise OSError("the disk")

    with pytest.raises(OSError, match="the disk"):
        reestimate_batch_norm(model, broken())
    for v, b in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(value(v), b)
    assert model.layers[0].momentum == 0.99


def test_frozen_layers_stay_nested_ones_are_found_and_nan_is_overwritten(data):
    x, _ = data
    inner = keras.Sequential([keras.layers.BatchNormalization(name="inside")])
    frozen = keras.layers.BatchNormalization(trainable=False)
    inputs = keras.Input((3,))
    model = keras.Model(inputs, frozen(inner(inputs)))
    inner.layers[0].moving_mean.assign(np.full(3, np.nan))
    assert reestimate_batch_norm(model, x) == 1
    np.testing.assert_allclose(statistics(inner.layers[0])[0], x.mean(axis=0), rtol=1e-4)
    np.testing.assert_array_equal(statistics(frozen)[0], np.zeros(3))
    assert reestimate_batch_norm(keras.Sequential([keras.layers.Dense(1)]), x) == 0


def test_one_sample_and_no_batch(data):
    x, _ = data
    model = make()
    reestimate_batch_norm(model, x[:1])
    np.testing.assert_allclose(statistics(model.layers[0])[0], x[0], rtol=1e-5)
    np.testing.assert_array_equal(statistics(model.layers[0])[1], np.zeros(3))
    with pytest.raises(ValueError, match="`data` must be a dataset with at least one batch"):
        reestimate_batch_norm(model, [])
    with pytest.raises(ValueError, match="can be read again"):
        ReestimateBatchNorm(iter([x]))


def test_averaged_weights_get_their_own_statistics(data):
    """After SWA, inference with re-estimated statistics is what training's batches show."""
    x, y = data
    model = make()
    model.compile(
        StochasticWeightAveraging(keras.optimizers.SGD(0.5), start_step=1, average_period=1),
        "mse",
        run_eagerly=True,
    )
    callback = copy.deepcopy(ReestimateBatchNorm((x, y), batch_size=10))
    model.fit(x, y, batch_size=10, epochs=5, verbose=0, callbacks=[callback])
    assert callback.layers == 2
    for layer, expected in reference(model, [x]).items():
        for a, b in zip(statistics(layer), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(value(model(x)), value(model(x, training=True)), 1e-3, 1e-4)
