import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.callbacks import ReestimateBatchNorm
from kcatalog.optimizers import StochasticWeightAveraging
from tests.golden.load import golden


def reference(path, start, period):
    """The mean of the weights after steps start, start + period, ...; the last ones before it."""
    taken = []
    for step, w in enumerate(path, start=1):
        if step >= start and (step - start) % period == 0:
            taken.append(w)
    if not taken:
        return path[-1]
    return [sum(w[i] for w in taken) / len(taken) for i in range(len(path[0]))]


@pytest.mark.parametrize(("start", "period"), [(1, 1), (3, 2), (5, 3), (50, 1)])
def test_reference(rng, start, period):
    gradients = rng.normal(size=(11, 4)).astype("float32")
    path = list(1.0 - 0.1 * np.cumsum(gradients, axis=0))
    w = keras.Variable(np.ones(4, "float32"))
    optimizer = StochasticWeightAveraging(keras.optimizers.SGD(0.1), start, period)
    for g, expected in zip(gradients, path, strict=True):
        optimizer.apply([ops.convert_to_tensor(g)], [w])
        np.testing.assert_allclose(ops.convert_to_numpy(w.value), expected, rtol=1e-4, atol=1e-5)
    optimizer.finalize_variable_values([w])
    expected = reference(path, start, period)
    np.testing.assert_allclose(ops.convert_to_numpy(w.value), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("run", ["late", "every_step"])
def test_golden(run):
    peer = golden("tfa_swa")
    path, gradients = peer[f"{run}_w"], peer[f"{run}_gradients"]
    w = keras.Variable(path[0])
    optimizer = StochasticWeightAveraging(
        keras.optimizers.SGD(0.1, momentum=0.9),
        start_step=int(peer[f"{run}_start"]) + 1,  # the peer counts updates from zero
        average_period=int(peer[f"{run}_period"]),
    )
    for g in gradients:
        optimizer.apply([ops.convert_to_tensor(g)], [w])
    optimizer.finalize_variable_values([w])
    expected = peer[f"{run}_average"][-1]
    np.testing.assert_allclose(ops.convert_to_numpy(w.value), expected, rtol=1e-4, atol=1e-5)


def test_fit_ends_with_the_average_and_can_go_on(rng):
    x, y = rng.normal(size=(16, 3)), rng.normal(size=(16, 1))
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, use_bias=False)])
    sgd = keras.optimizers.SGD(0.1)
    model.compile(StochasticWeightAveraging(sgd, start_step=2, average_period=1), "mse")
    kernel = ops.convert_to_numpy(model.trainable_variables[0].value)
    path = []
    for i in range(4):
        xb, yb = x[4 * i : 4 * i + 4], y[4 * i : 4 * i + 4]
        kernel = kernel - 0.1 * 2 * xb.T @ (xb @ kernel - yb) / 4
        path.append(kernel)
    model.fit(x, y, batch_size=4, shuffle=False, verbose=0)
    final = ops.convert_to_numpy(model.trainable_variables[0].value)
    np.testing.assert_allclose(final, np.mean(path[1:], axis=0), rtol=1e-4, atol=1e-5)
    model.fit(x, y, batch_size=4, shuffle=False, verbose=0)


def test_batch_normalization_of_the_average_is_reestimated(rng):
    """With the statistics of training the average's outputs are off; re-estimated, they are not."""
    x = rng.normal(size=(32, 3)).astype("float32") + 5
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, "tanh"),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(1),
        ]
    )
    sgd = keras.optimizers.SGD(0.05)
    swa = StochasticWeightAveraging(sgd, start_step=1, average_period=1)
    model.compile(swa, "mse", run_eagerly=True)

    def error():
        """Return how far inference is from what the layers show when a batch normalizes them."""
        return float(ops.max(ops.abs(model(x) - model(x, training=True))))

    model.fit(x, x[:, :1], batch_size=32, epochs=3, verbose=0)
    assert error() > 0.1
    reestimate = ReestimateBatchNorm(x, batch_size=32)
    model.fit(x, x[:, :1], batch_size=32, epochs=3, verbose=0, callbacks=[reestimate])
    assert error() < 1e-3
