import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import training
from kcatalog.conformance import descent
from kcatalog.optimizers import AlternatingSAM
from tests.golden.load import golden
from tests.optimizers.paths import assert_same_paths
from tests.optimizers.problems import paths
from tests.optimizers.wrappers.sharpness import LR, MOMENTUM, inner, step_uphill


def reference(start):
    """Up by one gradient; back, and a step of SGD with momentum, by the next."""
    at, velocities, origin = start, [np.zeros_like(w) for w in start], None

    def step(gradients):
        nonlocal at, velocities, origin
        if origin is None:
            origin, at = at, step_uphill(at, gradients)
        else:
            velocities = [MOMENTUM * v - LR * g for v, g in zip(velocities, gradients, strict=True)]
            at = [w + v for w, v in zip(origin, velocities, strict=True)]
            origin = None
        return at

    return step


def test_reference():
    assert_same_paths(lambda: AlternatingSAM(inner(), radius=0.125), paths(reference))


def test_golden():
    name = "optax_alternating_sam"
    assert_same_paths(lambda: AlternatingSAM(inner(), radius=0.125), golden(name))


def fitted(batches, **compile_args):
    model = descent.model(keras.optimizers.SGD(0.1))  # the same start
    model.compile(AlternatingSAM(keras.optimizers.SGD(0.1), radius=0.5), "mse", **compile_args)
    x = np.random.default_rng(0).normal(size=(8 * batches, 5)).astype("float32")
    y = np.sin(x @ np.ones((5, 2), "float32"))
    model.fit(x, y, batch_size=8, shuffle=False, verbose=0)
    return model, [np.array(ops.convert_to_numpy(v)) for v in model.trainable_variables]


@pytest.mark.parametrize("compile_args", [{"jit_compile": False}, {"run_eagerly": True}])
def test_training_ends_at_weights_that_are_not_uphill(compile_args):
    """A third batch only moves uphill, and that is taken back when `fit` ends."""
    model, three = fitted(3, **compile_args)
    _, two = fitted(2, **compile_args)
    for a, b in zip(three, two, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    assert int(ops.convert_to_numpy(model.optimizer.iterations)) == 1
    assert training.attach(model) is model  # nothing to attach


def test_a_model_saved_uphill_goes_on_from_where_it_was(tmp_path):
    x = np.random.default_rng(0).normal(size=(24, 5)).astype("float32")
    y = np.sin(x @ np.ones((5, 2), "float32"))
    model = descent.model(keras.optimizers.SGD(0.1))
    model.compile(AlternatingSAM("adam", radius=0.5), "mse")
    for _ in range(3):
        model.train_on_batch(x[:8], y[:8])
    model.save(tmp_path / "uphill.keras")
    again = keras.models.load_model(tmp_path / "uphill.keras")
    for m in (model, again):
        m.train_on_batch(x[8:16], y[8:16])
    for a, b in zip(model.trainable_variables, again.trainable_variables, strict=True):
        np.testing.assert_allclose(
            ops.convert_to_numpy(b), ops.convert_to_numpy(a), rtol=1e-6, atol=1e-7
        )


def test_a_weight_frozen_while_uphill_comes_back():
    optimizer = AlternatingSAM(keras.optimizers.SGD(0.1), radius=0.5)
    w, frozen = keras.Variable([1.0]), keras.Variable([1.0])
    optimizer.apply([ops.ones(1), ops.ones(1)], [w, frozen])
    assert ops.convert_to_numpy(frozen)[0] > 1.3
    optimizer.apply([ops.ones(1)], [w])
    np.testing.assert_allclose(ops.convert_to_numpy(frozen), [1.0])
    np.testing.assert_allclose(ops.convert_to_numpy(w), [0.9], rtol=1e-6)
