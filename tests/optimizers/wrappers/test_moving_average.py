import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.optimizers import MovingAverage
from tests.golden.load import golden
from tests.optimizers.problems import PROBLEMS, flat

GOLDEN = {
    "moving_average": {"average_decay": 0.75},
    "moving_average_dynamic": {"average_decay": 0.75, "start_step": 3, "dynamic_decay": True},
}


def reference(path, average_decay, start_step=0, dynamic_decay=False):
    """The averages of a path of weights, the first of which is the start, number by number."""
    average, averages = list(path[0]), []
    for t, w in enumerate(path[1:]):
        d = 0.0 if t < start_step else average_decay
        if dynamic_decay and t >= start_step:
            d = min(average_decay, (1 + t - start_step) / (10 + t - start_step))
        average = [d * a + (1 - d) * b for a, b in zip(average, w, strict=True)]
        averages.append(average)
    return averages


@pytest.mark.parametrize("settings", [*GOLDEN.values(), {"average_decay": 0.0, "start_step": 2}])
def test_reference(rng, settings):
    gradients = rng.normal(size=(12, 4)).astype("float32")
    path = 1.0 - 0.1 * np.vstack([np.zeros(4), np.cumsum(gradients, axis=0)])
    w = keras.Variable(np.ones(4, "float32"))
    optimizer = MovingAverage(keras.optimizers.SGD(0.1), **settings)
    for g, expected in zip(gradients, reference(path, **settings), strict=True):
        optimizer.apply([ops.convert_to_tensor(g)], [w])
        average = ops.convert_to_numpy(optimizer.averages[0].value)
        np.testing.assert_allclose(average, expected, rtol=1e-4, atol=1e-5)
    optimizer.finalize_variable_values([w])
    np.testing.assert_array_equal(ops.convert_to_numpy(w.value), average)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name):
    peer = golden(f"tfa_optimizer_{name}")
    for title, problem in PROBLEMS.items():
        variables = [keras.Variable(w, dtype="float32") for w in problem.start()]
        optimizer = MovingAverage(keras.optimizers.SGD(0.0625), **GOLDEN[name])
        for expected in peer[title][:20]:
            weights = [ops.convert_to_numpy(v.value).astype("float64") for v in variables]
            gradients = [ops.cast(g, "float32") for g in problem.gradients(weights)]
            optimizer.apply(gradients, variables)
            average = flat([ops.convert_to_numpy(a.value) for a in optimizer.averages])
            np.testing.assert_allclose(average, expected, 1e-5, 1e-5, err_msg=title)


def test_the_average_is_a_target_network(rng):
    def network():
        keras.utils.set_random_seed(1)
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])

    model, target = network(), network()
    model.compile(MovingAverage("sgd", average_decay=0.875), "mse", run_eagerly=True)
    expected = [w.copy() for w in target.get_weights()]
    for _ in range(3):
        model.train_on_batch(rng.normal(size=(4, 3)), rng.normal(size=(4, 2)))
        for v, average in zip(target.trainable_variables, model.optimizer.averages, strict=True):
            v.assign(average)
        pairs = zip(expected, model.get_weights(), strict=True)
        expected = [0.875 * t + 0.125 * w for t, w in pairs]
    for a, b in zip(target.get_weights(), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
