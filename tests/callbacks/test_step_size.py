import copy

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import optimizers
from kcatalog.callbacks import StepSize
from kcatalog.optimizers.schedules import WarmUp
from tests.callbacks.events import read


def make(optimizer, **compile_args):
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, "tanh", name="first"),
            keras.layers.Dense(2, name="second"),
        ]
    )
    model.compile(optimizer, "mse", **compile_args)
    return model


@pytest.fixture
def data(rng):
    return rng.normal(size=(24, 3)).astype("float32"), rng.normal(size=(24, 2)).astype("float32")


def norm(model, layer):
    arrays = [ops.convert_to_numpy(w) for w in model.get_layer(layer).trainable_variables]
    return np.concatenate([a.ravel() for a in arrays])


@pytest.mark.parametrize("every_steps", [1, 3])
def test_reference_ratio_of_the_last_step(data, every_steps):
    x, y = data
    model, size = make(keras.optimizers.SGD(0.1)), StepSize(every_steps=every_steps)
    twin = make(keras.optimizers.SGD(0.1))
    twin.set_weights(model.get_weights())
    model.fit(x, y, batch_size=4, shuffle=False, verbose=0, callbacks=[size])
    twin.fit(x[:20], y[:20], batch_size=4, shuffle=False, verbose=0)
    before = {layer: norm(twin, layer) for layer in ("first", "second")}
    twin.fit(x[20:], y[20:], batch_size=4, shuffle=False, verbose=0)
    expected = {
        layer: np.linalg.norm(norm(twin, layer) - w) / np.linalg.norm(w)
        for layer, w in before.items()
    }
    assert size.update_ratios == pytest.approx(expected, rel=1e-3)


def rates(optimizer, data, tmp_path, every_steps=1, **compile_args):
    x, y = data
    size = StepSize(tmp_path, every_steps=every_steps)
    model = make(optimizer, **compile_args)
    model.fit(x, y, batch_size=4, verbose=0, callbacks=[size])
    return read(tmp_path)["learning_rate"]


def test_the_rate_is_the_steps_own_not_the_next_ones(data, tmp_path):
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1, 2, 3], [8.0, 4.0, 2.0, 1.0])
    found = rates(keras.optimizers.SGD(schedule), data, tmp_path)
    steps = np.arange(6)
    expected = [float(ops.convert_to_numpy(schedule(step))) for step in steps]
    assert found == pytest.approx(dict(zip((steps + 1).tolist(), expected, strict=True)))
    assert found[1] != found[4]


@pytest.mark.slow
def test_the_rate_inside_wrappers_loss_scaling_and_warm_up(data, tmp_path):
    schedule = WarmUp(keras.optimizers.schedules.CosineDecay(0.3, 6), 3)
    wrapped = optimizers.Lookahead(
        optimizers.GradientCentralization(keras.optimizers.SGD(schedule))
    )
    scaled = keras.optimizers.LossScaleOptimizer(wrapped)
    found = rates(scaled, data, tmp_path, jit_compile=False)
    expected = {step + 1: float(ops.convert_to_numpy(schedule(step))) for step in range(6)}
    assert found == pytest.approx(expected, rel=1e-5)


def test_steps_that_only_accumulate_do_not_move(data, tmp_path):
    optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
    rates(optimizer, data, tmp_path)
    moved = read(tmp_path)["update_ratio/first"]
    assert [step for step, ratio in moved.items() if ratio > 0] == [2, 4, 6]


@pytest.mark.skipif(not hasattr(keras.optimizers, "MultiOptimizer"), reason="Keras 3.13")
def test_a_rate_for_each_optimizer(data):
    x, y = data
    model = make("sgd")
    fast, slow = keras.optimizers.SGD(0.5, name="fast"), keras.optimizers.SGD(0.25, name="slow")
    each = keras.optimizers.OptimizerMap(slow, {"first/.*": fast})
    model.compile(keras.optimizers.MultiOptimizer(each), "mse")
    size = StepSize(every_steps=1)
    model.fit(x, y, batch_size=4, verbose=0, callbacks=[size])
    assert size.learning_rates == {"learning_rate/fast": 0.5, "learning_rate/slow": 0.25}


def test_events_have_the_steps_and_copies_work(data, tmp_path):
    x, y = data
    size = copy.deepcopy(StepSize(tmp_path, every_steps=2))
    make("sgd").fit(x, y, batch_size=4, verbose=0, callbacks=[size])
    copy.deepcopy(size)
    assert {tag: list(steps) for tag, steps in read(tmp_path).items()} == {
        "learning_rate": [2, 4, 6],
        "update_ratio/first": [2, 4, 6],
        "update_ratio/second": [2, 4, 6],
    }
