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
ONE_OF_EACH_SORT = ("ArcFace", "ProxyAnchor", "SoftTriple", "Center")


def data(rng, batch=24):
    y = np.resize(np.arange(CLASSES), batch)
    return (rng.normal(size=(batch, 6)) + 2 * np.eye(6)[y]).astype("float32"), y


def embeddings_and_model(names, optimizer=None, dtype=None):
    """A model in which each loss trains an embedding of its own, and the embeddings alone."""
    inputs = keras.Input((6,))
    embeddings = {name: keras.layers.Dense(8, dtype=dtype)(inputs) for name in names}
    outputs = {
        name: layers.Prototypes(CLASSES, dtype=dtype, name=name, **CASES[name][1])(embedding)
        for name, embedding in embeddings.items()
    }
    model = keras.Model(inputs, outputs)
    model.compile(
        optimizer or keras.optimizers.Adam(0.05),
        {name: getattr(losses, name)(**CASES[name][0]) for name in names},
    )
    # else Keras makes a metric of each output while it traces, and TensorFlow traces again
    model._compile_loss.build(dict(model.output), dict(model.output))
    return keras.Model(inputs, embeddings), model


def fit(model, x, y, epochs):
    targets = dict.fromkeys(model.output, y)
    history = model.fit(x, targets, epochs=epochs, batch_size=12, shuffle=False, verbose=0).history
    return {name: history[f"{name}_loss" if len(targets) > 1 else "loss"] for name in targets}


def prototypes(model):
    return {name: as_numpy(model.get_layer(name).prototypes) for name in model.output}


@pytest.mark.slow
def test_train_and_are_saved_and_the_embedding_stands_alone(rng, tmp_path):
    x, y = data(rng)
    embed, model = embeddings_and_model(CASES)
    before = prototypes(model)
    history, after = fit(model, x, y, epochs=3), prototypes(model)
    for name in CASES:
        assert history[name][-1] < history[name][0], name
        assert np.abs(after[name] - before[name]).max() > 1e-3, name

    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for name, saved in prototypes(again).items():
        np.testing.assert_array_equal(saved, after[name])
    targets = dict.fromkeys(CASES, y)
    evaluated = [m.evaluate(x, targets, verbose=0, return_dict=True) for m in (again, model)]
    assert evaluated[0] == pytest.approx(evaluated[1], rel=1e-5)

    embeddings = embed.predict(x, verbose=0)
    assert {name: e.shape for name, e in embeddings.items()} == dict.fromkeys(CASES, (24, 8))
    assert len(embed.weights) == 2 * len(CASES)  # none of the prototypes


@pytest.mark.slow
def test_half_precision(rng):
    x, y = data(rng)
    _, model = embeddings_and_model(CASES, dtype="mixed_float16")
    for name in CASES:
        assert model.get_layer(name).compute_dtype == "float16"
        assert as_numpy(model.get_layer(name).prototypes).dtype == "float32"
    for name, values in fit(model, x, y, epochs=3).items():
        assert values[-1] < values[0], name


@pytest.mark.slow
@pytest.mark.tensorflow
def test_two_replicas_are_one_device(rng):
    import tensorflow as tf

    from kcatalog.conformance.descent import two_replicas

    x, y = data(rng)
    weights = []
    for strategy in (tf.distribute.get_strategy(), two_replicas()):
        keras.utils.set_random_seed(1)
        with strategy.scope():
            sgd = keras.optimizers.SGD(0.1, momentum=0.9)
            _, model = embeddings_and_model(ONE_OF_EACH_SORT, sgd)
        fit(model, x, y, epochs=2)
        weights.append(model.get_weights())
    for one, two in zip(*weights, strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-6)


@pytest.mark.tensorflow
def test_embedding_is_served_without_labels_or_prototypes(rng, tmp_path):
    import tensorflow as tf

    x, y = data(rng)
    embed, model = embeddings_and_model(["ArcFace"])
    fit(model, x, y, epochs=1)
    embed.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(tmp_path / "served")
    embedded = [served.serve(x)["ArcFace"], embed(x)["ArcFace"]]
    np.testing.assert_allclose(*embedded, rtol=1e-5, atol=1e-6)
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
