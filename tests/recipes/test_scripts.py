"""The recipe scripts: every choice they offer builds and learns, on each kind of data."""

import dataclasses

import keras
import keras_tuner
import numpy as np
import pytest
from keras import layers

from kcatalog.recipe import tasks
from kcatalog.recipe.data import Data, Details, Series, series_file
from kcatalog.recipe.data.pairs import PairDetails
from kcatalog.recipe.data.series import SeriesDetails
from kcatalog.recipe.data.speech import SpeechDetails
from kcatalog.recipe.export import converted
from kcatalog.recipe.export.original import Original
from kcatalog.recipe.feed import pipeline
from kcatalog.recipe.monitoring.pictures import Predictions, attention
from kcatalog.recipe.tasks import contract
from kcatalog.recipe.tasks.forecast import last_season
from kcatalog.recipe.terminal.errors import RecipeError
from tests.recipe.scripts import imported as script


def waveforms(rng, n):
    """Every second sound is 100 dB below the others."""
    volume = 1e-5 ** (np.arange(n)[:, None] % 2)
    return (volume * rng.normal(size=(n, 4000))).astype("float32")


def data(name):
    """A few random samples of the shape that the recipe gets."""
    rng = np.random.default_rng(0)

    def part(n):
        if name == "text_gru":
            return rng.integers(97, 99, (n, 6)).astype("int32"), rng.integers(0, 2, (n, 6))
        if name == "translate_gru":
            ids = rng.integers(0, 2, (n, 8)).astype("int32")
            return ids + np.repeat([97, 0], 4).astype("int32"), ids[:, 4:]
        if name == "segmentation_unet":
            images = rng.integers(0, 255, (n, 16, 16, 3), "uint8")
            return images, rng.integers(0, 2, (n, 16, 16)).astype("int32")
        if name == "forecast_gru":
            return rng.normal(1e4, 1e3, (n, 28)).astype("float32"), np.full((n, 5), 1e4, "float32")
        if name == "sequence_tagger":
            codes = rng.integers(97, 99, (n, 6, 4)).astype("int32") * (np.arange(6)[:, None] < 5)
            return codes, rng.integers(0, 2, (n, 6)).astype("int32")
        if name == "tabular_mlp":
            return rng.normal(size=(n, 5)).astype("float32"), rng.normal(size=(n, 2)) * 100
        x = {
            "image_cnn": lambda: rng.integers(0, 255, (n, 8, 8, 1), "uint8"),
            "embedding_triplet": lambda: rng.integers(0, 255, (n, 8, 8, 1), "uint8"),
            "colour images": lambda: rng.integers(0, 255, (n, 32, 32, 3), "uint8"),
            "speech_lstm": lambda: rng.normal(size=(n, 9, 3)).astype("float32"),
            "waveforms": lambda: waveforms(rng, n),
            "margin_mlp": lambda: rng.normal(size=(n, 5)).astype("float32"),
            "text_classifier": lambda: rng.integers(97, 99, (n, 6, 4)).astype("int32"),
        }[name]()
        return x, np.arange(n, dtype="int32") % 2

    inputs = {"text_gru": "characters", "speech_lstm": "frames", "waveforms": "waveform"}
    inputs["forecast_gru"] = "history"
    tasks = {"text_gru": "next-character", "embedding_triplet": "embedding"}
    inputs["tabular_mlp"], tasks["tabular_mlp"] = "row", "regression"
    inputs["margin_mlp"], inputs["text_classifier"] = "row", "tokens"
    inputs["translate_gru"], tasks["translate_gru"] = "text", "translation"
    tasks["forecast_gru"], tasks["segmentation_unet"] = "forecast", "segmentation"
    inputs["sequence_tagger"], tasks["sequence_tagger"] = "tokens", "tagging"
    parts = part(8), part(4), part(4)  # fewer than a batch
    known = {"forecast_gru": SeriesDetails(4), "waveforms": SpeechDetails(16_000)}
    known["translate_gru"] = PairDetails(4)
    details = known.get(name, Details())
    classes = {"tabular_mlp": (), "sequence_tagger": ("O", "B-A", "I-A")}.get(name, ("a", "b"))
    task = tasks.get(name, "classification")
    return Data(name, task, inputs.get(name, "image"), *parts, classes, details=details)


def answers(model, x):
    """Return a model's outputs; called eagerly, it does not pay for a compilation."""
    return keras.ops.convert_to_numpy(model(x, training=False))


CHOICES = {
    "image_cnn": [
        {
            "loss": "SparseCategoricalFocalCrossentropy",
            "regularizer": "L2",
            "jitter": 0.1,
            "wrapper": "GradientCentralization",
        },
        {
            "loss": "CrammerSingerHinge",
            "regularizer": "SoftOrthogonality",
            "optimizer": "Nadam",
            "wrapper": "Lookahead",
        },
    ],
    "speech_lstm": [
        {"recurrent": "LayerNormLSTM", "optimizer": "RMSprop", "wrapper": "Lookahead"},
    ],
    "text_gru": [
        {"layers": 2, "optimizer": "AdamW", "wrapper": "AdaptiveGradientClipping"},
    ],
    "text_classifier": [
        {"recurrent": "LSTM", "pooling": "MaskedPooling1D", "subwords": False},
    ],
    "embedding_triplet": [
        {"loss": "TripletHard", "embedding": 64},
        {"loss": "TripletAll", "optimizer": "Nadam"},
        {"loss": "SupervisedContrastive"},
        {"loss": "MultiSimilarity"},
    ],
    "forecast_gru": [
        {"units": 32, "optimizer": "Nadam"},
    ],
    "translate_gru": [
        {"units": 64, "sampling": 0.3},
    ],
    "tabular_mlp": [
        {"units": 32, "optimizer": "Nadam"},
    ],
    "margin_mlp": [
        {"loss": "SparseCategoricalCrossentropy", "regularizer": "GroupLasso", "optimizer": "Yogi"},
        {"regularizer": "none", "hidden_layers": 1, "wrapper": "Lookahead"},
    ],
    "sequence_tagger": [
        {"units": 32, "optimizer": "Nadam"},
    ],
    "segmentation_unet": [
        {"loss": "FocalTversky"},
        {"loss": "GeneralizedDice", "filters": 8},
        {"loss": "Jaccard"},
        {"loss": "LovaszSoftmax"},
    ],
}
CASES = [
    ("image_cnn", "image_cnn", {}),
    ("image_cnn", "colour images", {}),
    ("speech_lstm", "speech_lstm", {}),
    ("speech_lstm", "waveforms", {}),
    ("text_gru", "text_gru", {}),
    ("text_classifier", "text_classifier", {}),
    ("embedding_triplet", "embedding_triplet", {}),
    ("embedding_triplet", "speech_lstm", {}),
    ("embedding_triplet", "waveforms", {}),
    ("forecast_gru", "forecast_gru", {}),
    ("segmentation_unet", "segmentation_unet", {}),
    ("tabular_mlp", "tabular_mlp", {}),
    ("margin_mlp", "margin_mlp", {}),
    ("translate_gru", "translate_gru", {}),
    ("sequence_tagger", "sequence_tagger", {}),
    *(  # parts have been tried on each backend
        pytest.param(name, name, values, marks=pytest.mark.once)
        for name, choices in CHOICES.items()
        for values in choices
    ),
]


@pytest.mark.parametrize(("name", "kind", "values"), CASES, ids=str)
def test_every_choice_builds_and_learns_and_defaults_reload(name, kind, values, tmp_path):
    some, hp = data(kind), keras_tuner.HyperParameters()
    hp.values.update(values)
    model = script(name).build(hp, some)
    assert {k: hp.values[k] for k in values} == values
    # one step does not pay for a compilation, but on JAX, where each eager operation is compiled
    model.run_eagerly = keras.backend.backend() != "jax"
    x, y = some.train
    assert model.input.name == some.input_name
    before = model.get_weights()
    loss = model.train_on_batch(x, y)
    assert np.isfinite(np.ravel(loss)).all()
    assert any(not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    features = values.get("embedding", 32) if name == "embedding_triplet" else 2
    shapes = {"text_gru": (2, 6, 2), "forecast_gru": (2, 5, 3)}
    shapes["segmentation_unet"], shapes["translate_gru"] = (2, 16, 16, 2), (2, 4, 2)
    shapes["sequence_tagger"] = (2, 6, 3)
    outputs = answers(model, x[:2])
    assert outputs.shape == shapes.get(name, (2, features))
    if not values:
        np.testing.assert_allclose(answers(model, x[1:2]), outputs[1:], atol=1e-4)  # alone
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
        np.testing.assert_allclose(answers(loaded, x[:2]), outputs, atol=1e-5)


@pytest.mark.parametrize("name", ["image_cnn", "embedding_triplet"])
def test_large_images_do_not_make_a_large_model(name):
    """The models for small images are unchanged, so that their measured scores remain valid."""
    build, sizes = script(name).build, []
    for edge in (8, 28, 64, 256):
        images = np.zeros((8, edge, edge, 3), "uint8"), np.arange(8, dtype="int32") % 2
        some = Data("some", "classification", "image", images, images, images, ("a", "b"))
        model = build(keras_tuner.HyperParameters(), some)
        sizes.append(model.count_params())
        convolved = [x.output.shape for x in model.layers if isinstance(x, keras.layers.Conv2D)]
        wide = [shape for shape in convolved if shape[1] > 32]
        assert max((shape[-1] for shape in wide), default=0) <= 16
    small, *_, of_64, of_256 = sizes
    assert small == {"image_cnn": 228_808, "embedding_triplet": 98_944}[name]
    assert of_64 < 430_000
    assert of_256 < of_64 + 50_000


@pytest.mark.tensorflow
def test_a_forecast_goes_to_litert(tmp_path):
    """With one sample Keras makes a BiasAdd of some sums, and LiteRT takes not all of those."""
    some = data("forecast_gru")
    script("forecast_gru").build(keras_tuner.HyperParameters(), some).save(tmp_path / "model.keras")
    converted.litert(Original(tmp_path / "model.keras", some), tmp_path / "a.tflite")
    assert (tmp_path / "a.tflite").stat().st_size > 1000


def test_a_translation_reads_the_source_alone():
    """The right answer stands beside the source, for training; nothing of it may show."""
    some = data("translate_gru")
    model = script("translate_gru").build(keras_tuner.HyperParameters(), some)
    x = some.test[0]
    without = np.concatenate([x[:, :4], np.zeros((len(x), 4), "int32")], axis=1)
    np.testing.assert_array_equal(answers(model, x), answers(model, without))
    model = keras.Model(model.input, model.output)  # as loaded, without an optimizer
    scores, *_ = attention.scores(model, x).values()
    assert scores[0].shape == (4, 1, 4, 4)
    np.testing.assert_allclose(scores[0].sum(axis=-1), 1, rtol=1e-5)
    predicted = tasks.of(some).predicted(answers(model, x))
    drawn = attention.maps(Predictions(some, some.test, answers(model, x), predicted), model)
    _, figure = next(drawn)
    names = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert names == [chr(code) for code in x[0, :4]]


def test_sparsity_counts_what_can_be_left_out():
    """Two features, three hidden units, two classes: by hand."""
    model = keras.Sequential([keras.Input((2,)), layers.Dense(3), layers.Dense(2)])
    bias = np.zeros
    first = np.array([[1.0, 0.0, 2.0], [1e-4, 0.0, 1e-3]])  # below 0.002: the second feature
    second = np.array([[1.0, 1.0], [1.0, 1.0], [1e-4, -1e-4]])  # the last unit's outputs
    model.set_weights([first, bias(3), second, bias(2)])
    assert script("margin_mlp").sparsity(model) == {
        "share of weights that are zero": 2 / 12,
        "share of weights below 0.001 of the largest": 6 / 12,
        "share of hidden units without effect": 2 / 3,
        "share of features without effect": 1 / 2,
    }


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("speech_lstm", "speech_lstm"),
        ("embedding_triplet", "speech_lstm"),
        ("text_classifier", "text_classifier"),
    ],
)
def test_padding_does_not_change_what_a_sequence_is(name, kind):
    some = data(kind)
    model = script(name).build(keras_tuner.HyperParameters(), some)
    x = some.test[0]
    padded = np.pad(x, ((0, 0), (0, 5), (0, 0)))
    np.testing.assert_allclose(answers(model, padded), answers(model, x), atol=1e-5)


def test_text_is_read_from_left_to_right_and_unknown_characters_are_read_too():
    some = data("text_gru")
    model = script("text_gru").build(keras_tuner.HyperParameters(), some)
    x = np.array([[97, 98, 97, 97], [97, 98, 0, 0x10FFFF]], "int32")
    one, other = answers(model, x)
    np.testing.assert_allclose(one[:2], other[:2], atol=1e-6)
    assert np.isfinite(other).all()


def test_a_forecast_takes_raw_values_and_its_band_holds_its_median():
    """A history ten times as high is forecast ten times as high by a model for such data."""
    some = data("forecast_gru")
    scaled = {p: tuple(10 * a for a in getattr(some, p)) for p in ("train", "validation", "test")}
    larger = dataclasses.replace(some, **scaled)
    found = []
    for each in (some, larger):
        keras.utils.set_random_seed(0)
        model = script("forecast_gru").build(keras_tuner.HyperParameters(), each)
        found.append(answers(model, each.test[0]))
    np.testing.assert_allclose(found[1], 10 * found[0], rtol=1e-4)
    low, middle, high = np.moveaxis(found[0], -1, 0)
    assert (low < middle).all()
    assert (middle < high).all()
    assert np.abs(middle / 1e4 - 1).max() < 1


def test_a_season_shorter_than_the_horizon_is_repeated():
    """With nothing learned yet and no difference to the season before, the forecast is that."""
    some = data("forecast_gru")
    model = script("forecast_gru").build(keras_tuner.HyperParameters(), some)
    history = np.resize([1e4, 2e4, 3e4, 4e4], (1, 28)).astype("float32")
    middle = answers(model, history)[0, :, 1]
    np.testing.assert_allclose(middle, [1e4, 2e4, 3e4, 4e4, 1e4], rtol=1e-6)


@pytest.mark.tensorflow
def test_a_forecast_keeps_the_digits_of_large_numbers(tmp_path):
    """Steps of about 8 on values near 1e12, where float32 has one number in 65,536."""
    wave = 30 * np.sin(np.arange(600) * 2 * np.pi / 24) + np.random.default_rng(0).normal(size=600)
    small, large = (
        Series(horizon=6, window=12, season=24)._data("wave", series_file.plain(wave + offset))
        for offset in (1e3, 1e12)
    )
    assert [d.train[0].dtype.name for d in (small, large)] == ["float32", "float64"]
    assert [f.about for f in large.findings if f.about == "precision"] == ["precision"]
    module, errors = script("forecast_gru"), []
    for some in (small, large):
        keras.utils.set_random_seed(0)
        model = module.build(keras_tuner.HyperParameters(), some)
        contract.check_model(tasks.of(some), model, some)
        forecast = pipeline.predict(model, some.test[0])
        assert forecast.dtype == some.test[0].dtype
        errors.append(np.abs(forecast[..., 1] - some.test[1]).mean())
        errors.append(pipeline.evaluate(model, *some.test)["loss"])
    np.testing.assert_allclose(errors[2:], errors[:2], rtol=1e-3)
    model.save(tmp_path / "model.keras", include_optimizer=False)
    saved = keras.models.load_model(tmp_path / "model.keras", compile=False)
    assert saved.inputs[0].dtype == "float64"
    entry = keras.Input(large.input_shape, name="history")
    rounding = keras.Model(entry, layers.Reshape((6, 3))(layers.Dense(18)(entry)))
    rounding.compile("adam", "mae")
    with pytest.raises(RecipeError, match=r"wave needs float64.*dtype='float64'\), and add"):
        contract.check_model(tasks.of(large), rounding, large)


def test_a_forecast_is_learned_alike_in_any_unit():
    """Adam's epsilon would stop the learning of very small values."""
    wave = 30 * np.sin(np.arange(600) * 2 * np.pi / 24) + np.random.default_rng(0).normal(size=600)
    module, forecasts = script("forecast_gru"), []
    for unit in (1.0, 1e-9):
        series = series_file.plain(wave * unit)
        some = Series(horizon=6, window=12, season=24)._data("wave", series)
        keras.utils.set_random_seed(0)
        model = module.build(keras_tuner.HyperParameters(), some)
        model.run_eagerly = True
        loss = [model.train_on_batch(some.train[0][:32], some.train[1][:32]) for _ in range(3)]
        assert 0.1 < float(loss[-1]) < 1  # in deviations from the last season
        forecasts.append(answers(model, some.test[0][:8]) / unit)
    np.testing.assert_allclose(*forecasts, atol=1e-2)
    assert np.abs(forecasts[0][..., 1] - last_season(some, some.test[0][:8]) / unit).max() > 0.05
