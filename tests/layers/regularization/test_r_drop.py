import keras
import numpy as np
import pytest

from kcatalog import layers
from kcatalog.conformance import backend

L = keras.layers


def reference(p, q, y, weights, factor):
    """Half of equation 4, one sample and one class at a time."""
    total = 0.0
    for n in range(len(p)):
        loss = -(np.log(p[n, y[n]]) + np.log(q[n, y[n]])) / 2
        for a, b in ((p[n], q[n]), (q[n], p[n])):
            loss += factor / 4 * sum(u * np.log(u / v) for u, v in zip(a, b, strict=True))
        total += weights[n] * loss
    return total / len(p)


def network(outputs, activation, rate=0.5):
    model = keras.Sequential([keras.Input((6,)), L.Dropout(rate, seed=3)])
    init = keras.initializers.RandomNormal(seed=1)
    model.add(L.Dense(outputs, activation, kernel_initializer=init))
    return model


def compiled(model, loss, eager=backend.NAME == "tensorflow", **kwargs):
    r_drop = layers.RDrop(model, **kwargs)
    r_drop.compile(keras.optimizers.SGD(0.0), loss, run_eagerly=eager, jit_compile=backend.JIT)
    return r_drop


@pytest.mark.parametrize("form", ["probabilities", "logits", "binary"])
def test_reference(rng, form):
    """The loss of a training step is that of two passes with the dropout's next two masks."""
    x, y = rng.normal(size=(8, 6)).astype("float32"), rng.integers(0, 2, 8)
    weights = rng.uniform(0.5, 1.5, size=8).astype("float32")
    shape = {"probabilities": (3, "softmax"), "logits": (3, None), "binary": (1, "sigmoid")}[form]
    twin = network(*shape)
    passes = [backend.as_numpy(twin(x, training=True)) for _ in range(2)]
    if form == "logits":
        passes = [np.exp(z) / np.exp(z).sum(1, keepdims=True) for z in passes]
    if form == "binary":
        passes = [np.concatenate([1 - z, z], axis=1) for z in passes]
        loss = keras.losses.BinaryCrossentropy()
    else:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=form == "logits")
    model = compiled(network(*shape), loss, factor=3.0, from_logits=form == "logits")
    targets = y[:, None] if form == "binary" else y
    found = model.train_on_batch(x, targets, sample_weight=weights)
    np.testing.assert_allclose(found, reference(*passes, y, weights, 3.0), rtol=1e-4)


def test_without_dropout_and_at_inference_it_is_the_model(rng):
    x, y = rng.normal(size=(8, 6)).astype("float32"), rng.integers(0, 3, 8)
    inner = network(3, "softmax", rate=0.0)
    model = compiled(inner, "sparse_categorical_crossentropy")
    plain = model.test_on_batch(x, y)
    np.testing.assert_allclose(model.train_on_batch(x, y), plain, rtol=1e-5)
    np.testing.assert_array_equal(*(backend.as_numpy(m(x)) for m in (model, inner)))


def test_penalties_on_weights_count_once(rng):
    x, y = rng.normal(size=(4, 6)).astype("float32"), rng.integers(0, 3, 4)
    ones = {"bias_initializer": "ones", "bias_regularizer": keras.regularizers.L2(2.0)}
    dense = L.Dense(3, "softmax", kernel_initializer="zeros", **ones)
    model = compiled(keras.Sequential([dense]), "sparse_categorical_crossentropy")
    np.testing.assert_allclose(model.train_on_batch(x, y), 6 + np.log(3), rtol=1e-5)


def test_several_outputs_and_padding(rng):
    """Each output has its penalty; masked steps have none."""
    x = rng.normal(size=(4, 5, 6)).astype("float32")
    x[:, 3:] = 0.0
    inputs = keras.Input((5, 6))
    h = L.Dropout(0.5, seed=3)(L.Masking()(inputs))
    a, b = L.Dense(3)(h), L.Dense(2)(h)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    y = {"a": np.zeros((4, 5)), "b": np.zeros((4, 5))}
    results = []
    for factor in (0.0, 4.0):
        keras.utils.set_random_seed(1)
        model = compiled(keras.Model(inputs, {"a": a, "b": b}), {"a": loss, "b": loss})
        model.factor, model.from_logits = factor, True
        results.append(model.train_on_batch(x, y))
    assert np.isfinite(results).all()
    assert results[1] >= results[0]


def test_the_compiled_wrapper_is_loaded_and_goes_on(rng, tmp_path):
    x, y = rng.normal(size=(8, 6)).astype("float32"), rng.integers(0, 3, 8)
    model = compiled(network(3, "softmax"), "sparse_categorical_crossentropy", False, factor=2.0)
    model.build((None, 6))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.factor == 2.0
    losses = [m.train_on_batch(x, y) for m in (model, again)]
    np.testing.assert_allclose(*losses, rtol=1e-5)
