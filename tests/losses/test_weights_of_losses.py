"""Losses have no weights: class vectors belong to the `Prototypes` layer."""

import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers, losses, regularizers
from kcatalog.conformance.backend import as_numpy

SEVERAL = {"per_class": 2, "regularizer": regularizers.SparseCenters(0.1)}
DISTANCES = {"similarity": "squared_euclidean"}
CASES = {  # a loss, and the layer that it wants
    "NormalizedSoftmax": ({}, {}),
    "CosFace": ({"scale": 8.0}, {}),
    "ArcFace": ({"scale": 8.0}, {}),
    "SphereFace": ({"margin": 2, "scale": 8.0}, {}),
    "SubCenterArcFace": ({"scale": 8.0}, SEVERAL),
    "ProxyNCA": ({}, {}),
    "ProxyAnchor": ({"scale": 8.0}, {}),
    "SoftTriple": ({}, SEVERAL),
    "Center": ({}, DISTANCES),
}
CLASSES = 3
each_loss = pytest.mark.parametrize("name", CASES)
ONE_OF_EACH_SORT = ("ArcFace", "ProxyAnchor", "SoftTriple", "Center")


def data(rng, batch=24):
    y = np.resize(np.arange(CLASSES), batch)
    return (rng.normal(size=(batch, 6)) + 2 * np.eye(6)[y]).astype("float32"), y


def embedding_and_model(name, optimizer=None, dtype=None):
    """The model up to the embedding, and the whole of it, compiled."""
    settings, layer = CASES[name]
    embed = keras.Sequential([keras.Input((6,)), keras.layers.Dense(8, dtype=dtype)])
    model = keras.Sequential([embed, layers.Prototypes(CLASSES, dtype=dtype, **layer)])
    loss = getattr(losses, name)(**settings)
    model.compile(optimizer or keras.optimizers.Adam(0.05), loss)
    return embed, model


@pytest.mark.slow
@each_loss
def test_trains_and_is_saved_and_the_embedding_stands_alone(name, rng, tmp_path):
    x, y = data(rng)
    embed, model = embedding_and_model(name)
    before = as_numpy(model.layers[-1].prototypes)
    history = model.fit(x, y, epochs=3, batch_size=12, verbose=0).history["loss"]
    assert history[-1] < history[0]
    after = as_numpy(model.layers[-1].prototypes)
    assert np.abs(after - before).max() > 1e-3

    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(as_numpy(again.layers[-1].prototypes), after)
    evaluated = [m.evaluate(x, y, verbose=0) for m in (again, model)]
    np.testing.assert_allclose(*evaluated, rtol=1e-5)

    assert embed.predict(x, verbose=0).shape == (24, 8)
    assert len(embed.weights) == 2  # none of the prototypes


@pytest.mark.slow
@each_loss
def test_half_precision(name, rng):
    x, y = data(rng)
    _, model = embedding_and_model(name, dtype="mixed_float16")
    assert model.layers[-1].compute_dtype == "float16"
    assert as_numpy(model.layers[-1].prototypes).dtype == "float32"
    history = model.fit(x, y, epochs=3, batch_size=12, verbose=0).history["loss"]
    assert history[-1] < history[0]


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ONE_OF_EACH_SORT)
def test_two_replicas_are_one_device(name, rng):
    import tensorflow as tf

    from kcatalog.conformance.descent import two_replicas

    x, y = data(rng)
    weights = []
    for strategy in (tf.distribute.get_strategy(), two_replicas()):
        keras.utils.set_random_seed(1)
        with strategy.scope():
            _, model = embedding_and_model(name, keras.optimizers.SGD(0.1, momentum=0.9))
        model.fit(x, y, epochs=2, batch_size=12, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for one, two in zip(*weights, strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-6)


@pytest.mark.tensorflow
def test_embedding_is_served_without_labels_or_prototypes(rng, tmp_path):
    import tensorflow as tf

    x, y = data(rng)
    embed, model = embedding_and_model("ArcFace")
    model.fit(x, y, verbose=0)
    embed.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(tmp_path / "served")
    np.testing.assert_allclose(served.serve(x), embed.predict(x, verbose=0), rtol=1e-5, atol=1e-6)
    assert len(served.variables) == 2


@pytest.mark.parametrize("per_class", [1, 2])
def test_accuracy_is_that_of_the_nearest_vector(per_class, rng):
    """With several vectors a class it is read off a second output, their maximum."""
    x, y = data(rng)
    inputs = keras.Input((6,))
    s = layers.Prototypes(CLASSES, per_class)(inputs)
    nearest = ops.max(s, axis=-1) if per_class > 1 else s
    model = keras.Model(inputs, [s, nearest])
    model.compile("sgd", [losses.SubCenterArcFace(), None], metrics=[None, ["accuracy"]])
    accuracy = model.evaluate(x, [y, y], verbose=0, return_dict=True)
    (accuracy,) = [v for k, v in accuracy.items() if "accuracy" in k]
    np.testing.assert_allclose(accuracy, np.mean(as_numpy(model(x)[1]).argmax(-1) == y), rtol=1e-6)


@pytest.mark.slow
def test_center_loss_beside_crossentropy(rng):
    """The docstring's two outputs; centers go to the means of their classes."""
    x, y = data(rng)
    inputs = keras.Input((6,))
    scores = keras.layers.Dense(CLASSES, name="scores")(inputs)
    centers = layers.Prototypes(CLASSES, similarity="squared_euclidean", name="centers")
    model = keras.Model(inputs, [scores, centers(inputs)])
    crossentropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(
        keras.optimizers.Adam(0.1), [crossentropy, losses.Center()], loss_weights=[1.0, 0.003]
    )
    steps = np.tile(x, (80, 1)), [np.tile(y, 80)] * 2  # one epoch: each costs more than its steps
    model.fit(*steps, batch_size=24, shuffle=False, verbose=0)
    means = [x[y == j].mean(axis=0) for j in range(CLASSES)]
    np.testing.assert_allclose(as_numpy(centers.prototypes), means, atol=0.05)
