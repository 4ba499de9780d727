"""Models that `build` returns are held to the contract before anything is written."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import layers, ops

from kcatalog.recipe import Recipe, devices, tasks
from kcatalog.recipe.commands import start
from kcatalog.recipe.tasks import contract, heads
from kcatalog.recipe.terminal.errors import RecipeError
from tests.recipe import tiny

DATA = tiny.recipe.load()
SPARSE = keras.losses.SparseCategoricalCrossentropy
CONSTANT = keras.initializers.Constant(0.3)
BINARY = keras.losses.BinaryCrossentropy


def model(*head, loss=None, metrics=("accuracy",), entry=(2,), dtype=None, compiled=True):
    """A model for two clouds of points, ending in these layers."""
    x = keras.Input(entry, dtype=dtype, name="point")
    y = x
    for layer in head or (layers.Dense(2),):
        y = layer(y)
    made = keras.Model(x, y)
    if compiled:
        made.compile("adam", loss or SPARSE(from_logits=True), metrics=list(metrics))
    return made


def check(made, data=DATA, objective="val_accuracy"):
    """Check a model as `start.begin` does."""
    task = tasks.of(data)
    contract.check_model(task, made, data)
    return contract.check_batch(task, made, data, None, objective)


def two_inputs():
    a, b = keras.Input((2,)), keras.Input((2,))
    made = keras.Model([a, b], layers.Dense(2)(a + b))
    made.compile("adam", SPARSE(from_logits=True))
    return made


def two_outputs():
    x = keras.Input((2,))
    made = keras.Model(x, [layers.Dense(2)(x), layers.Dense(2)(x)])
    made.compile("adam", [SPARSE(from_logits=True)] * 2)
    return made


def sequential():
    made = keras.Sequential([layers.Dense(2)])
    made.compile("adam", SPARSE(from_logits=True))
    return made


class Own(keras.Model):
    """A subclass, which has no symbolic input."""

    def call(self, x):
        return x


def own():
    made = Own()
    made.compile("adam", SPARSE(from_logits=True))
    return made


LOGITS = {"loss": SPARSE(from_logits=True)}
WRONG = {
    "no return": (lambda: None, r"Received: None. End `build` with `return model`"),
    "a tuple": (lambda: (model(), 3), r"Received: a tuple, .* Return the compiled model itself"),
    "a class": (lambda: Own, r"Received: the class .* Return the compiled model itself"),
    "not compiled": (lambda: model(compiled=False), r"not compiled. Call model.compile"),
    "no Input": (sequential, r"a Sequential without an Input. Start it with x = keras.Input\(data"),
    "a subclass": (own, r"an Own without an Input|a Own without an Input"),
    "two inputs": (two_inputs, r"2 inputs \(\(batch, 2\); \(batch, 2\)\)"),
    "two outputs": (two_outputs, r"2 outputs"),
    "input shape": (lambda: model(entry=(3,)), r"an input of shape \(batch, 3\)"),
    "input type": (
        lambda: model(layers.Embedding(4, 2), layers.Flatten(), dtype="int32"),
        r"type int32 for data of type float32.*dtype='float32'",
    ),
    "classes": (lambda: model(layers.Dense(3)), r"\(batch, 3\). End in a layer with 2 units"),
    "rank": (lambda: model(layers.Reshape((2, 1))), r"outputs of shape \(batch, 2, 1\)"),
    "softmax twice": (lambda: model(layers.Dense(2, "softmax")), r"softmax, and a loss with from_"),
    "softmax op twice": (lambda: model(layers.Dense(2), ops.softmax), r"softmax, and a loss with"),
    "hidden softmax": (
        lambda: model(layers.Dense(2), lambda x: ops.exp(x) / ops.sum(ops.exp(x), -1, True)),
        r"already probabilities",
    ),
    "logits for probabilities": (
        lambda: model(loss="sparse_categorical_crossentropy"),
        r"expects probabilities. Give the loss from_logits=True",
    ),
    "sigmoids": (lambda: model(layers.Dense(2, "sigmoid"), loss="mse"), r"outputs of a sigmoid"),
    "softmax of one": (lambda: model(layers.Dense(1, "softmax"), loss="mse"), r"\(batch, 1\)"),
    "one output, which?": (lambda: model(layers.Dense(1), loss="mse"), r"End in 2 units, or use"),
    "one output, categorical": (lambda: model(layers.Dense(1)), r"End in 2 units, or use"),
    "squared error": (lambda: model(loss="mse"), r"one by one, but labels have the shape \(batch,"),
    "one-hot": (
        lambda: model(loss=keras.losses.CategoricalCrossentropy(from_logits=True)),
        r"cannot compare labels of shape \(batch,\) with outputs of shape \(batch, 2\)",
    ),
    "NaN": (lambda: model(layers.Dense(2), lambda x: ops.log(x - 1e9)), r"NaN or infinity"),
    "the batch": (
        lambda: model(layers.Dense(4), layers.Lambda(lambda x: ops.reshape(x, (-1, 2)))),
        r"64 outputs",
    ),
    "no metric": (lambda: model(metrics=()), r"val_accuracy.*Add metrics=\['accuracy'\].*val_loss"),
    "threshold": (
        lambda: model(
            layers.Dense(1, bias_initializer=keras.initializers.Constant(0.3)),
            loss=BINARY(from_logits=True),
        ),
        r"BinaryAccuracy\(name='accuracy', threshold=0.0\)",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_build_is_refused_with_the_contract(name):
    make, words = WRONG[name]
    made = make()
    with pytest.raises(RecipeError, match=words):
        check(made)


def test_nothing_is_written_before_the_refusal(call):
    for build, words in (
        (lambda hp, data: None, "End `build` with `return model`"),
        (lambda hp, data: model(metrics=()), "metrics=['accuracy']"),
    ):
        done = call("tune", recipe=dataclasses.replace(tiny.recipe, build=build))
        assert done.code == 2
        assert words in " ".join(done.err.split())
        assert not (done.folder / "runs").exists()


SOFTMAX, SIGMOID = "sparse_categorical_crossentropy", "binary_crossentropy"
HONOURED = {
    "Dense": ((layers.Dense(2, "softmax"),), SOFTMAX),
    "Activation": ((layers.Dense(2), layers.Activation("softmax")), SOFTMAX),
    "Softmax": ((layers.Dense(2), layers.Softmax()), SOFTMAX),
    "operation": ((layers.Dense(2), ops.softmax), SOFTMAX),
    "behind an identity": ((layers.Dense(2, "softmax"), layers.Activation("linear")), SOFTMAX),
    "nested": ((keras.Sequential([keras.Input((2,)), layers.Dense(2, "softmax")]),), SOFTMAX),
    "one sigmoid": ((layers.Dense(1, "sigmoid"),), SIGMOID),
}


@pytest.mark.parametrize("name", HONOURED)
def test_probabilities_stay_what_they_are(name):
    head, loss = HONOURED[name]
    made, task, x = model(*head, loss=loss), tasks.of(DATA), DATA.test[0]
    (found,) = check(made)
    assert found.about == "outputs"
    p = made.predict(x, verbose=0)
    p = np.concatenate([1 - p, p], axis=1) if p.shape[1] == 1 else p
    outputs = heads.to_contract(task, made, DATA, made.predict(x, verbose=0))
    np.testing.assert_allclose(task.probabilities(outputs), p, atol=1e-5)
    logits = heads.converted(task, made, DATA).predict(x, verbose=0)
    np.testing.assert_allclose(logits, outputs, atol=1e-4)


def test_one_logit_of_two_classes_is_honoured():
    accuracy = keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)
    made = model(layers.Dense(1), loss=BINARY(from_logits=True), metrics=[accuracy])
    assert check(made) == []
    z = made.predict(DATA.test[0], verbose=0)
    outputs = heads.to_contract(tasks.of(DATA), made, DATA, z)
    np.testing.assert_allclose(outputs, np.concatenate([0 * z, z], axis=1))


def test_what_the_contract_allows_passes():
    assert check(model()) == []
    assert check(model(layers.Dense(4, "relu"), layers.Dense(2), dtype="float32")) == []
    nested = keras.Sequential([keras.Input((2,)), layers.Dense(2)])
    assert check(model(nested)) == []
    assert check(model(Own())) == []  # as advised for a model of one's own class
    assert check(model(metrics=()), objective="val_loss") == []


class Place(tasks.Task):
    """A task of a user's own, without any declaration about outputs."""

    name, measure, better = "place", "distance", "lower"

    def score(self, labels, outputs):
        return float(np.mean(np.abs(outputs[:, 0, 0] - labels)))

    def predicted(self, outputs):
        return outputs

    def named(self, outputs):
        return {"place": outputs}

    def outputs(self, answers):
        return answers["place"]


def test_a_task_of_the_users_own_inherits_checks():
    data = dataclasses.replace(DATA, task=Place())
    with pytest.raises(RecipeError, match=r"task place cannot score labels of shape \(batch,\)"):
        check(model(layers.Dense(1), loss="mse", metrics=()), data, "val_loss")
    with pytest.raises(RecipeError, match="End `build` with"):
        check(None, data)


@pytest.mark.slow
@pytest.mark.tensorflow
def test_a_softmax_head_is_exported_with_its_own_probabilities(call, one_process):
    """Today's users end in softmax: no second one is put on it."""

    def build(hp, data):
        made = model(layers.Dense(2, "softmax"), loss=SOFTMAX)
        made.layers[-1].set_weights([10 * np.array([[-1.0, 1.0], [0.0, 0.0]]), np.zeros(2)])
        return made

    recipe = Recipe("soft", tiny.Clouds(), build, tiny.baseline, epochs=1)
    done = call("train", recipe=recipe)
    assert done.code == 0, done.err
    assert "outputs  ends in softmax" in done.out
    for step in ("evaluate", "export"):
        assert call(step, recipe=recipe).code == 0
    from kcatalog.recipe.export import loading

    outputs = loading.find(recipe).outputs(DATA.test[0])
    assert outputs["probabilities"].max() > 0.99


def test_start_checks_every_trials_model():
    recipe = dataclasses.replace(tiny.recipe, build=lambda hp, data: None)
    build = start.builder(recipe, DATA, devices.Devices("this host"))
    with pytest.raises(RecipeError, match="return model"):
        build(None)
