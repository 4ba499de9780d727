import sys

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import optimizers
from kcatalog.callbacks import LearningRateRangeTest
from kcatalog.conformance import backend


def fit_test(model, x, y, test, epochs=1, batch_size=1):
    model.fit(x, y, batch_size, epochs, verbose=0, shuffle=False, callbacks=[test])
    return test


def line(optimizer="sgd", start="ones"):
    inputs = keras.Input((1,))
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer=start)
    model = keras.Model(inputs, layer(inputs))
    model.compile(optimizer, "mse", jit_compile=backend.JIT)
    return model


def test_reference():
    """The loss `(2 w)²` by hand: w ← w - 8 η w at rates that grow by the same factor."""
    n, beta, low, high = 30, 0.75, 1e-3, 10.0
    test = LearningRateRangeTest(low, high, n, smoothing=beta)
    fit_test(line(), np.full((50, 1), 2.0), np.zeros((50, 1)), test)
    w, losses, smoothed, total, weight = 1.0, [], [], 0.0, 0.0
    for i in range(n):
        losses.append((2 * w) ** 2)
        total, weight = beta * total + losses[-1], beta * weight + 1
        smoothed.append(total / weight)
        if smoothed[-1] > 4 * min(smoothed):
            break
        w -= 8 * low * (high / low) ** (i / (n - 1)) * w
    assert len(losses) < n  # it diverged
    np.testing.assert_allclose(test.losses, losses, rtol=1e-3)
    np.testing.assert_allclose(test.smoothed, smoothed, rtol=1e-3)
    np.testing.assert_allclose(test.rates, low * (high / low) ** (np.arange(len(losses)) / (n - 1)))
    assert test.suggestions["minimum/10"] == test.rates[int(np.argmin(smoothed))] / 10
    assert low < test.suggestion < 1 / 4  # from there on it diverges


def classifier(optimizer, layers=()):
    model = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(32, "relu"), *layers, keras.layers.Dense(4)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"], jit_compile=backend.JIT)
    return model


@pytest.fixture
def clusters(rng):
    y = rng.integers(4, size=512)
    return (3 * np.eye(4, 8)[y] + rng.normal(size=(512, 8))).astype("float32"), y


def state(model):
    variables = [*model.variables, *model.optimizer.variables]
    return [ops.convert_to_numpy(v) for v in variables]


OPTIMIZERS = {
    "momentum": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
    "averaged": lambda: keras.optimizers.Adam(use_ema=True, weight_decay=0.1),
    "wrapped": lambda: optimizers.Lookahead(keras.optimizers.Adam()),
    "loss scaling": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_everything_is_as_before(name, clusters):
    """In the middle of a training: weights, moving statistics, seeds, slots and iterations."""
    if name == "averaged" and keras.backend.backend() == "jax":
        pytest.skip("In Keras 3.15 a second `fit` with `use_ema` raises on JAX.")
    keras.utils.set_random_seed(1)
    layers = [keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)]
    model = classifier(OPTIMIZERS[name](), layers)
    model.fit(*clusters, batch_size=128, verbose=0)
    before = state(model)
    test = fit_test(model, *clusters, LearningRateRangeTest(steps=20), 3, batch_size=64)
    assert len(test.rates) == 20 or test.smoothed[-1] > min(test.smoothed)
    for a, b in zip(state(model), before, strict=True):
        np.testing.assert_array_equal(a, b)
    model.fit(*clusters, batch_size=128, verbose=0)
    assert any(np.any(a != b) for a, b in zip(state(model), before, strict=True))


def test_an_optimizer_that_has_not_begun_does_not_begin(clusters):
    """Training after the test is training without it."""
    finals = []
    for tested in (True, False):
        keras.utils.set_random_seed(1)
        model = classifier(keras.optimizers.Adam(0.01))
        if tested:
            fit_test(model, *clusters, LearningRateRangeTest(steps=12), 3, batch_size=64)
            assert int(ops.convert_to_numpy(model.optimizer.iterations)) == 0
        model.fit(*clusters, batch_size=128, shuffle=False, verbose=0)
        finals.append(model.get_weights())
    for a, b in zip(*finals, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["steepest", "minimum/10"])
@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_the_suggestion_trains_well(rule, optimizer, clusters):
    """Four epochs: better than a rate 100 times lower; within reach of the best of a grid."""
    keras.utils.set_random_seed(1)
    model = classifier(getattr(keras.optimizers, optimizer)())
    test = fit_test(model, *clusters, LearningRateRangeTest(1e-5), 10, batch_size=32)
    start, losses = state(model), {}

    def train(rate):
        for v, w in zip([*model.variables, *model.optimizer.variables], start, strict=True):
            v.assign(w)
        model.optimizer.learning_rate = rate
        model.fit(*clusters, batch_size=32, epochs=4, shuffle=False, verbose=0)
        return model.evaluate(*clusters, verbose=0, batch_size=512)

    loss, accuracy = train(test.suggestions[rule])
    losses = [train(rate)[0] for rate in 10.0 ** np.arange(-4, 1)]
    assert accuracy > 0.94
    assert loss < train(test.suggestions[rule] / 100)[0] / 2
    assert loss < min(losses) + 0.1


def test_a_loss_that_is_nan_ends_it_and_leaves_no_trace():
    model, x = line(), np.ones((30, 1))
    x[20] = np.nan
    test = fit_test(model, x, np.zeros((30, 1)), LearningRateRangeTest(1e-3, 1.0, 30))
    assert len(test.losses) == 21
    assert model.get_weights()[0] == 1
    assert 1e-3 < test.suggestion < test.rates[20]


def test_a_loss_that_is_nan_from_the_start_suggests_nothing():
    test = LearningRateRangeTest(1e-3, 1.0, 30)
    fit_test(line(), np.full((9, 1), np.nan), np.zeros((9, 1)), test)
    with pytest.raises(ValueError, match="in 1 batches"):
        print(test.suggestion)


def test_restore_after_an_exception():
    class Interrupts(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch >= 3:
                raise KeyboardInterrupt

    model, test = line(), LearningRateRangeTest(0.01, 1.0, 10)
    with pytest.raises(KeyboardInterrupt):
        model.fit(np.ones((9, 1)), np.zeros((9, 1)), 1, verbose=0, callbacks=[test, Interrupts()])
    assert model.get_weights()[0] != 1
    test.restore()
    assert model.get_weights()[0] == 1


def test_a_schedule_cannot_be_set():
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    model = line(keras.optimizers.SGD(schedule))
    with pytest.raises(ValueError, match="Compile the model with a number"):
        fit_test(model, np.ones((9, 1)), np.ones((9, 1)), LearningRateRangeTest())


def test_a_range_that_is_too_high_is_said():
    x, y = np.ones((30, 1)), np.zeros((30, 1))
    test = fit_test(line(), x, y, LearningRateRangeTest(2.0, 10.0, 10))
    with pytest.raises(ValueError, match="Test lower rates"):
        print(test.suggestion)
    with pytest.raises(ValueError, match="LearningRateRangeTest: `maximum` must be above minimum"):
        LearningRateRangeTest(1.0, 1.0)


def test_plot(tmp_path, monkeypatch):
    test = fit_test(
        line(), np.ones((30, 1)), np.zeros((30, 1)), LearningRateRangeTest(1e-3, steps=20)
    )
    pytest.importorskip("matplotlib")
    test.plot().savefig(tmp_path / "range.png")
    assert (tmp_path / "range.png").stat().st_size > 1000
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"kcatalog\[recipes\]"):
        test.plot()
