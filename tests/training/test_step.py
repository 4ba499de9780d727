"""`attach`: the second gradient of a batch, in `fit`."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from kcatalog.optimizers import ASAM, SAM, Lookahead
from kcatalog.training import attach

BACKEND = keras.backend.backend()
RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 5)).astype("float32")
Y = np.sin(X @ np.ones((5, 2), "float32"))
WEIGHTS = RNG.uniform(0.5, 2.0, size=48).astype("float32")
PATHS = [
    {"jit_compile": False},
    {"run_eagerly": True},
    pytest.param({"jit_compile": True}, marks=pytest.mark.skipif(BACKEND == "torch", reason="")),
    pytest.param(
        {"steps_per_execution": 2, "jit_compile": False},
        marks=pytest.mark.skipif(BACKEND == "torch", reason="Keras does not offer it there"),
    ),
]

PLAIN = {"dropout": 0.0, "activity": None}


def sgd(**settings):
    return keras.optimizers.SGD(0.1, **settings)


def model_with(optimizer, dropout=0.5, activity=0.1, **compile_args):
    """Return a model with dropout, batch normalization, and both kinds of regularization."""
    keras.utils.set_random_seed(3)
    small = keras.regularizers.L2(activity) if activity else None
    model = keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(6, kernel_regularizer=keras.regularizers.L2(0.1), name="first"),
            layers.BatchNormalization(),
            layers.Activation("tanh"),
            layers.Dropout(dropout),
            layers.Dense(2, activity_regularizer=small),
        ]
    )
    model.compile(optimizer, "mse", metrics=["mae"], weighted_metrics=["mse"], **compile_args)
    return attach(model)


def fit(model, epochs=1, **args):
    data = {"sample_weight": WEIGHTS, "batch_size": 8, "shuffle": False, "verbose": 0}
    history = model.fit(X, Y, epochs=epochs, **{**data, **args}).history
    return [ops.convert_to_numpy(v).astype("float32") for v in model.weights], history


def same(a, b, tolerance=1e-5):
    for i, j in zip(a, b, strict=True):
        np.testing.assert_allclose(i, j, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("path", PATHS)
def test_at_a_tiny_radius_it_is_the_inner_optimizer(path):
    """So both gradients are of one loss, one dropout mask, and states and metrics change once."""
    plain, expected = fit(model_with(sgd(), **path))
    weights, history = fit(model_with(SAM(sgd(), radius=1e-7), **path))
    same(weights, plain)
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-5)


def test_settings_of_the_inner_optimizer_act():
    settings = {"weight_decay": 0.1, "global_clipnorm": 0.5, "gradient_accumulation_steps": 2}
    plain, _ = fit(model_with(sgd(**settings)))
    weights, _ = fit(model_with(SAM(sgd(**settings), radius=1e-7)))
    same(weights, plain)


def test_mixed_float16():
    """Under loss scaling it makes nearly the steps of float32 (Keras adds no float16 penalties)."""
    single, _ = fit(model_with(SAM(sgd(), radius=0.1), **PLAIN))
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = model_with(SAM(sgd(), radius=0.1), **PLAIN)
    finally:
        keras.config.set_dtype_policy("float32")
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    same(fit(model)[0], single, 0.02)


def test_without_attach_it_raises_and_after_loading_too(tmp_path):
    optimizer = SAM(keras.optimizers.Adam(0.01), radius=0.1)
    model = model_with(optimizer, jit_compile=False, **PLAIN)  # Keras saves no seeds of dropout
    bare = keras.Sequential([keras.Input((5,)), layers.Dense(2)])
    bare.compile(ASAM("sgd"), "mse")
    with pytest.raises(RuntimeError, match=r"Call kcatalog.training.attach\(model\) after"):
        bare.fit(X, Y, verbose=0)
    fit(model)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(again.optimizer, SAM)
    same([again.predict(X, verbose=0)], [model.predict(X, verbose=0)])
    with pytest.raises(RuntimeError, match="attach"):
        fit(again)
    # A `fit` that raises leaves a model on JAX without its weights.
    again = keras.models.load_model(tmp_path / "model.keras")
    attach(again)
    x, y = X[:8], Y[:8]
    for m in (model, again):
        m.train_on_batch(x, y)
    same(*[[ops.convert_to_numpy(v) for v in m.trainable_variables] for m in (again, model)])


def test_early_stopping_and_validation():
    model = model_with(SAM(sgd(), radius=0.1))
    stop = keras.callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True)
    _, history = fit(model, epochs=3, validation_data=(X, Y), callbacks=[stop])
    loss = model.evaluate(X, Y, verbose=0, return_dict=True)["loss"]
    np.testing.assert_allclose(loss, min(history["val_loss"]), rtol=1e-4)


def test_inside_another_wrapper_and_attached_twice():
    def steps(optimizer):
        return fit(attach(model_with(optimizer)))[0]

    outer = steps(Lookahead(SAM(sgd(), radius=0.1), sync_period=2, slow_step_size=1.0))
    same(outer, steps(SAM(sgd(), radius=0.1)))
    assert not np.allclose(outer[0], fit(model_with(sgd()))[0][0], atol=1e-4)


def test_attach_after_the_first_step_and_after_another_compile():
    model = model_with(sgd())
    fit(model)
    model.compile(SAM(sgd(), radius=0.1), "mse")
    with pytest.raises(RuntimeError, match="attach"):
        model.train_on_batch(X, Y)
    attach(model).train_on_batch(X, Y)
    model.compile(sgd(), "mse")
    model.train_on_batch(X, Y)


def test_refuses_what_it_cannot_know():
    class Own(keras.Sequential):
        def train_step(self, *args):
            return {}

    own = Own([keras.Input((5,)), layers.Dense(2)])
    own.compile(SAM("sgd"), "mse")
    with pytest.raises(ValueError, match="Own has a `train_step` of its own"):
        attach(own)
    with pytest.raises(ValueError, match="no optimizer"):
        attach(keras.Sequential([layers.Dense(2)]))
