"""The recipe scripts: every choice they offer builds and learns, on each kind of data."""

import importlib.util
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pytest

from kcatalog.recipe.data import Data

RECIPES = Path(__file__).parents[2] / "recipes"


def script(name):
    spec = importlib.util.spec_from_file_location(name, RECIPES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def data(name):
    """A few random samples of the shape that the recipe gets."""
    rng = np.random.default_rng(0)

    def part(n):
        if name == "text_gru":
            return rng.integers(97, 99, (n, 6)).astype("int32"), rng.integers(0, 2, (n, 6))
        x = {
            "image_cnn": lambda: rng.integers(0, 255, (n, 8, 8, 1), "uint8"),
            "embedding_triplet": lambda: rng.integers(0, 255, (n, 8, 8, 1), "uint8"),
            "colour images": lambda: rng.integers(0, 255, (n, 32, 32, 3), "uint8"),
            "speech_lstm": lambda: rng.normal(size=(n, 9, 3)).astype("float32"),
            "waveforms": lambda: rng.normal(size=(n, 4000)).astype("float32"),
        }[name]()
        return x, np.arange(n, dtype="int32") % 2

    inputs = {"text_gru": "characters", "speech_lstm": "frames", "waveforms": "waveform"}
    task = {"text_gru": "next-character", "embedding_triplet": "embedding"}
    parts = part(8), part(4), part(4)  # fewer than a batch
    task = task.get(name, "classification")
    return Data(name, task, inputs.get(name, "image"), *parts, ("a", "b"))


CHOICES = {
    "image_cnn": [
        {"loss": "SparseCategoricalFocalCrossentropy", "regularizer": "L2", "jitter": 0.1},
        {"loss": "CrammerSingerHinge", "regularizer": "SoftOrthogonality", "optimizer": "Nadam"},
        {"wrapper": "GradientCentralization"},
        {"wrapper": "Lookahead"},
    ],
    "speech_lstm": [
        {"recurrent": "LayerNormLSTM", "optimizer": "RMSprop"},
        {"wrapper": "Lookahead"},
    ],
    "text_gru": [
        {"layers": 2, "optimizer": "AdamW"},
        {"wrapper": "AdaptiveGradientClipping"},
    ],
    "embedding_triplet": [
        {"loss": "TripletHard", "embedding": 64},
        {"loss": "TripletAll", "optimizer": "Nadam"},
        {"loss": "SupervisedContrastive"},
        {"loss": "MultiSimilarity"},
    ],
}
CASES = [
    ("image_cnn", "image_cnn", {}),
    ("image_cnn", "colour images", {}),
    ("speech_lstm", "speech_lstm", {}),
    ("speech_lstm", "waveforms", {}),
    ("text_gru", "text_gru", {}),
    ("embedding_triplet", "embedding_triplet", {}),
    ("embedding_triplet", "speech_lstm", {}),
    ("embedding_triplet", "waveforms", {}),
    *((name, name, values) for name, choices in CHOICES.items() for values in choices),
]


@pytest.mark.parametrize(("name", "kind", "values"), CASES, ids=str)
def test_every_choice_builds_and_takes_a_step(name, kind, values):
    some, hp = data(kind), keras_tuner.HyperParameters()
    hp.values.update(values)
    model = script(name).build(hp, some)
    assert {k: hp.values[k] for k in values} == values
    model.run_eagerly = True  # one step does not pay for a compilation
    x, y = some.train
    assert model.input.name == some.input_name
    before = model.get_weights()
    loss = model.train_on_batch(x, y)
    assert np.isfinite(np.ravel(loss)).all()
    assert any(not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    outputs = model.predict(x[:2], verbose=0)
    features = values.get("embedding", 32) if name == "embedding_triplet" else 2
    assert outputs.shape == ((2, 6, 2) if name == "text_gru" else (2, features))


@pytest.mark.parametrize("name", CHOICES)
def test_a_saved_model_is_the_same_model(name, tmp_path):
    some = data(name)
    model = script(name).build(keras_tuner.HyperParameters(), some)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    x = some.test[0]
    expected = model.predict(x, verbose=0)
    np.testing.assert_allclose(loaded.predict(x, verbose=0), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["speech_lstm", "embedding_triplet"])
def test_padding_does_not_change_what_an_utterance_is(name):
    some = data("speech_lstm")
    model = script(name).build(keras_tuner.HyperParameters(), some)
    x = some.test[0]
    padded = np.pad(x, ((0, 0), (0, 5), (0, 0)))
    expected = model.predict(x, verbose=0)
    np.testing.assert_allclose(model.predict(padded, verbose=0), expected, atol=1e-5)


def test_text_is_read_from_left_to_right_and_unknown_characters_are_read_too():
    some = data("text_gru")
    model = script("text_gru").build(keras_tuner.HyperParameters(), some)
    x = np.array([[97, 98, 97, 97], [97, 98, 0, 0x10FFFF]], "int32")
    one, other = model.predict(x, verbose=0)
    np.testing.assert_allclose(one[:2], other[:2], atol=1e-6)
    assert np.isfinite(other).all()
