import keras
import numpy as np
import pytest
from keras import layers, ops

from kcatalog.optimizers import SAM
from kcatalog.training import JacobianPenalty, attach

RNG = np.random.default_rng(0)
X = RNG.normal(size=(16, 4)).astype("float32")
Y = RNG.normal(size=(16, 3)).astype("float32")
PATHS = [{"jit_compile": False}, {"run_eagerly": True}]
if keras.backend.backend() != "torch":
    PATHS.append({"jit_compile": True})


def model_with(optimizer="sgd", dropout=0.0, **compile_args):
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(5, "tanh"),
            layers.Dropout(dropout),
            layers.Dense(3),
        ]
    )
    model.compile(optimizer, "mse", **compile_args)
    return model


def reference(weights):
    """Return the mean over the samples of the sum of the squared slopes, one by one."""
    a, b, c, d = [np.array(ops.convert_to_numpy(w), "float64") for w in weights]

    def f(x):
        return np.tanh(x @ a + b) @ c + d

    total, h = 0.0, 1e-5
    for x in X.astype("float64"):
        for i in range(4):
            e = np.eye(4)[i] * h
            for slope in (f(x + e) - f(x - e)) / (2 * h):
                total += slope**2
    return total / len(X)


@pytest.mark.parametrize("path", PATHS)
def test_reference(path):
    bare = model_with(**path)
    expected = 0.5 * reference(bare.trainable_variables)
    loss = bare.train_on_batch(X, Y)
    exact = JacobianPenalty(0.5, projections=None).attach(model_with(**path))
    np.testing.assert_allclose(exact.train_on_batch(X, Y) - loss, expected, rtol=1e-4)


def test_random_projections_have_the_exact_mean_and_differ_by_step():
    model = JacobianPenalty(0.5, projections=4).attach(model_with(keras.optimizers.SGD(0.0)))
    expected = 0.5 * reference(model.trainable_variables)
    model.reset_metrics()
    loss = model_with().evaluate(X, Y, verbose=0)
    found = []
    for _ in range(20):
        model.reset_metrics()
        found.append(float(model.train_on_batch(X, Y)) - loss)
    np.testing.assert_allclose(np.mean(found), expected, rtol=0.05)
    assert np.std(found) > 1e-3 * expected  # other vectors at each step


def test_training_flattens_the_outputs():
    plain, flat = (model_with(keras.optimizers.Adam(0.05)) for _ in range(2))
    JacobianPenalty(1.0).attach(flat)
    for model in (plain, flat):
        model.fit(X, Y, epochs=20, verbose=0)
    slopes = [reference(m.trainable_variables) for m in (flat, plain)]
    assert slopes[0] < 0.5 * slopes[1], slopes


def test_validation_has_no_penalty_and_attaching_again_replaces_it():
    model = JacobianPenalty(100.0).attach(model_with())
    bare = model_with()
    np.testing.assert_allclose(
        model.evaluate(X, Y, verbose=0), bare.evaluate(X, Y, verbose=0), rtol=1e-6
    )
    JacobianPenalty(0.0).attach(model)
    np.testing.assert_allclose(model.train_on_batch(X, Y), bare.train_on_batch(X, Y), rtol=1e-6)


def test_with_sam_and_dropout():
    """Both gradients have the penalty: at a tiny radius it is the inner optimizer."""
    ends = []
    for optimizer in (keras.optimizers.SGD(0.1), SAM(keras.optimizers.SGD(0.1), radius=1e-7)):
        model = attach(JacobianPenalty(0.1).attach(model_with(optimizer, dropout=0.5)))
        model.fit(X, Y, batch_size=8, shuffle=False, verbose=0)
        ends.append([ops.convert_to_numpy(v) for v in model.trainable_variables])
    for a, b in zip(*ends, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_refuses_ids():
    model = keras.Sequential([keras.Input((4,), dtype="int32"), layers.Embedding(5, 3)])
    model.compile("sgd", "mse")
    JacobianPenalty().attach(model)
    with pytest.raises(ValueError, match="inputs must be floats to have slopes, not int32"):
        model.train_on_batch(np.zeros((2, 4), "int32"), np.zeros((2, 4, 3), "float32"))
