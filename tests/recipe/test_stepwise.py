"""A text model with its state in and out: reading in pieces is reading at once."""

import keras
import numpy as np
import pytest

import kcatalog
from kcatalog.recipe.export.stepwise import AFTER, Refused, Stepwise

CODES = np.random.default_rng(0).integers(0, 4, (3, 5)).astype("int32")


def text_model(*layers):
    """Four characters, some layers over them, and a score for each."""
    inputs = keras.Input((None,), dtype="int32", name="characters")
    x = keras.layers.Embedding(4, 5)(inputs)
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, keras.layers.Dense(4)(x))


def recurrent(kind, units=4, **arguments):
    return kind(units, return_sequences=True, **arguments)


def inner():
    inputs = keras.Input((None, 5))
    return keras.Model(inputs, recurrent(keras.layers.GRU)(inputs), name="inner")


MODELS = {
    "two, and dropout": lambda: [
        recurrent(keras.layers.LSTM),
        kcatalog.layers.VariationalDropout(0.5),
        recurrent(keras.layers.GRU, units=3),
    ],
    "LayerNormLSTM": lambda: [recurrent(kcatalog.layers.LayerNormLSTM)],
    "RNN of cells": lambda: [
        keras.layers.RNN([keras.layers.GRUCell(3), keras.layers.LSTMCell(2)], return_sequences=True)
    ],
    "within models": lambda: [inner(), keras.Sequential([recurrent(keras.layers.GRU)])],
}


def numpy(x):
    return keras.ops.convert_to_numpy(x)


@pytest.mark.parametrize("name", MODELS)
def test_one_by_one_is_the_whole(name):
    model = text_model(*MODELS[name]())
    whole, stepwise = numpy(model(CODES, training=False)), Stepwise(model)
    states = stepwise.zeros(3)
    for step in range(5):
        outputs, after = stepwise(CODES[:, step : step + 1], states)
        np.testing.assert_allclose(numpy(outputs)[:, 0], whole[:, step], atol=1e-5)
        states = {name: after[AFTER + name] for name in stepwise.states}
    stepwise.check(model, CODES, 1e-4)
    np.testing.assert_array_equal(numpy(model(CODES, training=False)), whole)  # nothing stays


def test_states_have_names_and_shapes():
    model = text_model(recurrent(keras.layers.LSTM, name="first"), recurrent(keras.layers.GRU, 3))
    gru = model.layers[-2].name
    want = {"first_state0": (4,), "first_state1": (4,), f"{gru}_state0": (3,)}
    assert Stepwise(model).states == want


@pytest.mark.slow
def test_padding_leaves_the_state_alone():
    model = text_model(recurrent(keras.layers.LSTM))
    stepwise = Stepwise(model)
    mask = np.arange(5) < np.array([7, 2, 4])[:, None]
    _, after = stepwise(CODES, stepwise.zeros(3), mask)
    for row, length in enumerate((5, 2, 4)):
        _, alone = stepwise(CODES[row : row + 1, :length], stepwise.zeros(1))
        for name in after:
            np.testing.assert_allclose(numpy(after[name])[row], numpy(alone[name])[0], atol=1e-6)


REFUSED = {
    "is bidirectional": lambda: [keras.layers.Bidirectional(recurrent(keras.layers.GRU))],
    "goes backwards": lambda: [recurrent(keras.layers.LSTM, go_backwards=True)],
    "no recurrent layer": lambda: [keras.layers.Dense(3)],
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_has_no_state_to_go_on_from(reason):
    with pytest.raises(Refused, match=reason):
        Stepwise(text_model(*REFUSED[reason]()))


def test_a_layer_that_looks_back_further_is_found_by_its_answers():
    causal = keras.layers.Conv1D(4, 3, padding="causal")
    model = text_model(causal, recurrent(keras.layers.GRU))
    with pytest.raises(Refused, match="looks beyond its state"):
        Stepwise(model).check(model, CODES, 1e-4)


def test_a_layer_used_twice():
    shared = recurrent(keras.layers.GRU, units=5)
    model = text_model(shared, shared)
    with pytest.raises(Refused, match="is used twice"):
        Stepwise(model).check(model, CODES, 1e-4)
