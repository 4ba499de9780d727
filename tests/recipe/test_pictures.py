"""Pictures for TensorBoard: what is drawn, and when."""

import dataclasses
import itertools

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

from kcatalog.metrics import ExpectedCalibrationError
from kcatalog.recipe.data import Data, Details
from kcatalog.recipe.data.files import Files, Shelf, draw
from kcatalog.recipe.data.series import SeriesDetails
from kcatalog.recipe.data.speech import SpeechDetails
from kcatalog.recipe.monitoring import pictures
from kcatalog.recipe.monitoring.events import EventFile
from kcatalog.recipe.monitoring.pictures import (
    Predictions,
    attention,
    callback,
    classes,
    figures,
    forecast,
    samples,
)
from kcatalog.recipe.monitoring.pictures.callback import Pictures
from kcatalog.recipe.tasks import embedding, neighbours
from kcatalog.recipe.tasks.forecast import Forecast, last_season, median

RNG = np.random.default_rng(0)


def predictions(
    labels,
    probabilities=None,
    predicted=None,
    x=None,
    names=("a", "b"),
    task="classification",
    input_name="point",
    picture=None,
    details=None,
):
    """Return predictions with these probabilities, or of these labels."""
    labels = np.asarray(labels)
    part = np.zeros((len(labels), 1), "float32") if x is None else x, labels
    data = Data("x", task, input_name, *[part] * 3, tuple(names), picture, details or Details())
    if probabilities is None:
        probabilities = np.eye(len(names))[predicted]
    outputs = np.log(np.maximum(probabilities, 1e-30))
    predicted = outputs.argmax(axis=-1) if predicted is None else np.asarray(predicted)
    return Predictions(data, part, outputs, predicted)


def grey(sample):
    return np.full((10, 10, 3), int(sample[0]), "uint8")


def greys(*shades):
    return {"x": np.array(shades, "float32")[:, None], "picture": grey}


def texts(axes):
    return [text.get_text() for text in axes.texts if text.get_text()]


def labels_of(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


# --- classes ------------------------------------------------------------------------------


def test_rows_are_true_labels_and_cells_have_counts():
    """Shades are shares of a row; a class that is absent has an empty one."""
    shown = predictions([0, 0, 0, 0, 2], predicted=[0, 0, 0, 1, 1], names="abc")
    (axes,) = classes.confusion_matrix(shown).axes
    expected = [[0.75, 0.25, 0], [0, 0, 0], [0, 1, 0]]
    np.testing.assert_allclose(axes.images[0].get_array(), expected)
    assert axes.images[0].get_clim() == (0, 1)
    counts = {text.get_position(): text.get_text() for text in axes.texts if text.get_text()}
    assert counts == {(0, 0): "3", (1, 0): "1", (1, 2): "1"}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted label", "true label")


def test_the_most_confused_of_many_classes_are_drawn():
    labels = np.arange(200) % 100
    predicted = np.where(labels >= 98, 197 - labels, labels)  # 98 and 99 for each other
    shown = predictions(labels, predicted=predicted, names=[*map(str, range(100))])
    (axes,) = classes.confusion_matrix(shown).axes
    assert labels_of(axes.yaxis) == [*map(str, range(30)), "98", "99"]
    expected = np.eye(32)[[*range(30), 31, 30]]
    np.testing.assert_allclose(axes.images[0].get_array(), expected)


@pytest.mark.parametrize("count", [2, 12])
def test_long_names_stand_in_full_beside_a_matrix_of_the_same_size(count):
    def drawn(names):
        each = np.arange(count)
        figure = classes.confusion_matrix(predictions(each, predicted=each, names=names))
        figures.png(figure)
        return figure

    names = [f"a class with a long name {n:02d}" for n in range(count)]
    long, short = drawn(names), drawn([f"{n}" for n in range(count)])
    assert labels_of(long.axes[0].xaxis) == names
    for axis in (long.axes[0].xaxis, long.axes[0].yaxis):
        boxes = [label.get_window_extent() for label in axis.get_ticklabels()]
        assert not any(a.overlaps(b) for a, b in itertools.pairwise(boxes))
        assert all(b.x0 >= 0 and b.y0 >= 0 for b in boxes)
    widths = [figure.axes[0].get_window_extent().width for figure in (long, short)]
    assert widths[0] == pytest.approx(widths[1], rel=0.15)


@pytest.mark.slow
def test_the_padding_of_sentences_is_not_counted():
    labels, path = np.array([[1, 2, 0], [0, 0, 0]]), np.eye(3)[[[1, 0, 0], [0, 0, 0]]]
    path[0, 2:] = path[1, 1:] = 0
    shown = dataclasses.replace(
        predictions(labels, predicted=labels, names="OBI", task="tagging"), outputs=path
    )
    shown = dataclasses.replace(shown, predicted=path.argmax(axis=-1))
    (axes,) = classes.confusion_of_tags(shown).axes
    counts = [text.get_text() for text in axes.texts if text.get_text()]
    assert counts == ["1", "1", "1"]  # O as O, B as B, I as O


def test_any_class_name_can_be_drawn(recwarn, monkeypatch):
    monkeypatch.setattr(figures, "_family", lambda character: None)  # whatever is installed here
    names = {"\n": "\\n", " ": "space", "": "''", "字": "#3", "字 a": "? a", "кошка": "кошка",
             "??": "??", "a$b$": r"a\$b\$", "\x00": "#3",
             "x" * 41: "x" * 20 + "…" + "x" * 19}  # fmt: skip
    assert {name: figures.readable(name, 3) for name in names} == names
    figures.png(figures.grid([np.eye(2)] * 10, list(names.values()), (1, 1), ("", "", "")))
    assert not recwarn.list  # matplotlib warns of characters that its font lacks


def test_other_fonts_draw_what_the_default_one_lacks(monkeypatch):
    monkeypatch.setattr(figures, "_family", {ord("字"): "Some CJK"}.get)
    assert figures.readable("字", 3) == "字"
    drawn = figures.figure(1, 1)
    drawn.text(0, 0, "字")
    drawn.text(0, 0, "a")
    monkeypatch.setattr(drawn, "savefig", lambda file: None)
    figures.png(drawn)
    families = [text.get_fontfamily() for text in drawn.texts]
    assert families[0] == [*families[1], "Some CJK"]


def test_names_that_figures_do_not_show_in_full_stand_in_a_table(monkeypatch):
    monkeypatch.setattr(figures, "_family", lambda character: None)
    shown = predictions([0, 1], predicted=[0, 1], names=["a_$1$", " "])
    assert classes.names_by_number(shown) is None
    shown = predictions([0, 1], predicted=[0, 1], names=["字 a", "x" * 41])
    rows = classes.names_by_number(shown).splitlines()[2:]
    assert rows == ["| #0 | 字 a |", f"| #1 | {'x' * 41} |"]


def test_names_that_are_cut_alike_get_their_numbers():
    names = [f"{'a' * 30}{i}{'b' * 30}" for i in range(2)]
    cut = f"{'a' * 20}…{'b' * 19}"
    assert figures.readable_names([*names, "c", "c"]) == [f"{cut} #0", f"{cut} #1", "c", "c"]


def test_pictures_are_the_same_from_run_to_run():
    x, y, p = RNG.random((20, 8, 8)), RNG.integers(0, 5, 20), RNG.dirichlet(np.ones(5), 20)
    shown = predictions(y, p, x=x, names="abcde", picture=lambda sample: sample)
    for picture in (classes.confusion_matrix, samples.worst_mistakes):
        assert figures.png(picture(shown)) == figures.png(picture(shown))


def test_the_diagrams_bins_are_those_of_the_metric():
    labels, p = RNG.integers(0, 5, 300), RNG.dirichlet(np.ones(5), 300).astype("float32")
    curve, histogram = classes.calibration(predictions(labels, p, names="abcde")).axes
    confidence, accuracy = curve.lines[1].get_data()
    size = np.array([bar.get_height() for bar in histogram.patches])
    assert size.sum() == 300
    size = size[size > 0]
    error = float(ExpectedCalibrationError()(labels, p))
    assert np.isclose((size / 300 * np.abs(accuracy - confidence)).sum(), error, atol=1e-6)
    assert curve.get_title() == f"Expected calibration error: {error:.4f}"
    names = [text.get_text() for text in curve.get_legend().get_texts()]
    assert names == ["Perfectly calibrated", "model"]
    assert (curve.get_ylabel(), histogram.get_xlabel()) == ("accuracy", "confidence")


def test_precision_and_recall_can_be_read_by_tensorboards_plugin(tmp_path):
    from tensorboard.plugins.pr_curve import metadata

    p = np.array([[0.9, 0.0, 0.1], [0.4, 0.0, 0.6], [0.3, 0.0, 0.7], [0.8, 0.0, 0.2]])
    events = EventFile(tmp_path)
    shown = predictions([0, 0, 2, 2], p, names="abc")  # nothing of class 1
    events.write(classes.precision_and_recall(shown), step=3)
    events.close()
    read = EventAccumulator(str(tmp_path)).Reload()
    tags = read.PluginTagToContent(metadata.PLUGIN_NAME)
    assert set(tags) == {"precision-recall/0 a/pr_curves", "precision-recall/2 c/pr_curves"}
    (event,) = read.Tensors("precision-recall/0 a/pr_curves")
    assert event.step == 3
    # at a threshold of 0.5: 0.9 (right) and 0.8 (wrong) are said to be "a"
    half = tensor_util.make_ndarray(event.tensor_proto)[:, 100]
    true_positives, false_positives, true_negatives, false_negatives, precision, recall = half
    assert (true_positives, false_positives, true_negatives, false_negatives) == (1, 1, 1, 1)
    assert (precision, recall) == (0.5, 0.5)


# --- samples ------------------------------------------------------------------------------


def shades(axes):
    return [int(image.get_array()[0, 0, 0]) for image in axes.images]


def test_sample_predictions_show_mistakes_first():
    predicted = np.zeros(20, int)
    predicted[17] = 1
    shown = predictions([0] * 20, predicted=predicted, names=("yes", "no"), **greys(*range(20)))
    (axes,) = samples.sample_predictions(shown).axes
    assert shades(axes) == [17, *range(15)]
    assert texts(axes)[:2] == ["predicted no\ntrue yes", "yes"]
    assert [text.get_color() for text in axes.texts[:2]] == [figures.WRONG, figures.RIGHT]
    boxes = np.array([image.get_extent() for image in axes.images])
    assert len(np.unique(boxes, axis=0)) == 16


def test_the_worst_mistake_comes_first():
    """Mistakes stand in the order of their cross-entropy."""
    p = np.array([[0.4, 0.6], [0.9, 0.1], [0.01, 0.99], [0.2, 0.8]])
    shown = predictions([0, 0, 0, 0], p, **greys(10, 20, 30, 40))
    (axes,) = samples.worst_mistakes(shown).axes
    assert shades(axes) == [30, 40, 10]
    assert texts(axes)[0] == "predicted b 0.99\ntrue a 0.01"
    assert classes.table_of_worst_mistakes(shown).splitlines()[2:] == [
        "| 2 | a | 0.01 | b | 0.99 |",
        "| 3 | a | 0.2 | b | 0.80 |",
        "| 0 | a | 0.4 | b | 0.60 |",
    ]
    right = predictions([0], np.array([[0.9, 0.1]]), **greys(0))
    assert samples.worst_mistakes(right) is None
    assert classes.table_of_worst_mistakes(right) == "No mistakes in 1 samples."


def from_files(folder, names):
    """Predictions of files in two folders, all of them wrong."""
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("0")
    read = lambda path: np.zeros(1, "float32")  # noqa: E731
    x = Files(Shelf([folder / name for name in names], read, (1,), "float32", {}))
    p = np.tile([0.1, 0.9], (len(names), 1))
    return predictions(np.zeros(len(names), int), p, x=x, picture=grey)


def test_files_are_named_beside_their_predictions(tmp_path):
    names = ["cat/a_$1$.png", "dog/" + "long " * 30 + "end.png"]
    shown = from_files(tmp_path, names)
    assert [shown.name(i) for i in range(2)] == names
    for picture in (samples.sample_predictions, samples.worst_mistakes):
        figure = picture(shown)
        (axes,) = figure.axes
        first, second = (text.split("\n") for text in texts(axes))
        assert first[2:] == [r"cat/a_\$1\$.png"]
        assert len(second) == 2 + 3  # lines
        assert second[-1].endswith("end.png")
        figures.png(figure)
    rows = classes.table_of_worst_mistakes(shown).splitlines()
    assert rows[0].startswith("| file |")
    assert f"| {classes._cell(names[1])} | a |" in rows[3]


def test_samples_without_a_file_are_named_by_their_index_in_the_split():
    shown = predictions([0], np.array([[0.4, 0.6]]))
    shown = dataclasses.replace(shown, places=np.array([330]))
    assert "| 330 | a | 0.4 |" in classes.table_of_worst_mistakes(shown)


def test_texts_stand_above_their_predictions_and_mistakes_behind_what_came_before():
    p = np.array([[[0.9, 0.05, 0.05], [0.9, 0.05, 0.05], [0.05, 0.05, 0.9]]])
    shown = predictions([[0, 1, 2]], p, names="ab\n", task="next-character")
    assert samples.sample_predictions(shown) == "    true     : ab⏎\n    predicted: aa⏎\n    "
    row = classes.table_of_worst_mistakes(shown).splitlines()[2]
    assert row == "| a | b | 0.05 | a | 0.90 |"


def test_masks_paint_classes_over_the_image():
    mask = np.array([[[0, 1], [1, 0]]])
    black = lambda sample: np.zeros((4, 4, 3), "uint8")  # noqa: E731 - twice as large
    shown = predictions(mask, predicted=1 - mask, task="segmentation", picture=black)
    figure = samples.masks(shown)
    image, true, predicted = (i.get_array() for i in figure.axes[0].images)
    assert not image.any()
    assert np.array_equal(true[0, 2], true[2, 0])
    assert np.array_equal(true[0, 0], true[1, 1])
    assert not np.array_equal(true[0, 0], true[0, 2])
    assert np.array_equal(predicted[0, 0], true[0, 2])
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]


def test_a_tone_stands_at_its_frequency():
    tone = np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000)
    quieter = np.where(np.arange(8000) < 4000, 0.5 * tone, tone)  # -6 dB
    f, t, (level, two) = samples.decibels(np.stack([tone, quieter]), 8000)
    assert (f[0], f[-1]) == (0, 4000)
    assert t[-1] < 1
    assert (f[level.argmax(axis=0)] == 1000).all()
    assert level.max() == two.max() == 0
    assert np.isclose(two[:, 10].max(), -6.02, atol=0.05)


def drawn_sound(waveform, count=1):
    x = np.stack([waveform] * count).astype("float32")
    shown = predictions([0] * count, predicted=[0] * count, x=x, details=SpeechDetails(8000))
    return samples.spectrograms(shown)


def test_a_spectrogram_has_hertz_and_seconds_at_its_axes():
    axes, *others = drawn_sound(RNG.normal(size=8000), 5).axes
    assert len(others) == 5  # and the bar of colors
    assert axes.get_ylim() == (0, 4000)
    assert axes.images[0].origin == "lower"
    assert np.allclose(axes.get_xlim(), (0, 1), atol=0.02)
    labels = axes.get_xlabel(), axes.get_ylabel(), axes.get_title()
    assert labels == ("time (s)", "frequency (Hz)", "a")


@pytest.mark.parametrize("waveform", [np.zeros(8000), np.ones(3), np.zeros(1)], ids=len)
def test_silence_and_clicks_are_drawn_too(waveform):
    assert figures.png(drawn_sound(waveform))


def test_frames_leave_out_padding():
    x = np.zeros((1, 10, 2))
    x[0, :5] = 1
    (image,) = samples.frames(predictions([0], predicted=[0], x=x)).axes[0].images
    assert image.get_array().shape == (2, 5)


# --- attention ----------------------------------------------------------------------------


@keras.saving.register_keras_serializable("tests")
class Block(keras.layers.Layer):
    """Attention inside a layer of one's own, in a list."""

    def __init__(self):
        super().__init__(name="block")
        self.supports_masking = True
        self.inner = [keras.layers.MultiHeadAttention(2, 4, name="deep")]

    def call(self, x):
        return self.inner[0](x, x, use_causal_mask=True)


def attentive():
    inputs = keras.Input((6, 4))
    x = keras.layers.Masking()(inputs)
    x = keras.layers.Attention(name="dot")([x, x])
    x = keras.layers.AdditiveAttention(name="additive")([x, x])
    y = keras.layers.GroupQueryAttention(4, 4, 2, name="grouped")(inputs, inputs)
    return keras.Model(inputs, Block()(x) + y)


def test_every_attention_layer_is_asked_and_the_model_stays_as_it_was():
    model, x = attentive(), RNG.normal(size=(3, 6, 4)).astype("float32")
    x[0, 4:] = 0  # padding
    before = keras.ops.convert_to_numpy(model(x))
    found = attention.scores(model, x)
    shapes = {name: [call.shape for call in calls] for name, calls in found.items()}
    assert shapes == {
        "dot": [(3, 1, 6, 6)],
        "additive": [(3, 1, 6, 6)],
        "grouped": [(3, 4, 6, 6)],
        "block/deep": [(3, 2, 6, 6)],
    }
    for calls in found.values():
        assert np.allclose(calls[0][1:].sum(axis=-1), 1, atol=1e-5)
    assert np.allclose(found["dot"][0][0, :, :4, 4:], 0, atol=1e-5)  # nobody looks at padding
    assert np.allclose(found["block/deep"][0][1][:, *np.triu_indices(6, 1)], 0)  # nor ahead
    assert np.array_equal(keras.ops.convert_to_numpy(model(x)), before)
    assert "call" not in vars(model.get_layer("dot"))


def test_scores_are_those_that_the_layer_itself_returns():
    layer, x = keras.layers.MultiHeadAttention(2, 4), RNG.normal(size=(2, 5, 4)).astype("float32")
    inputs = keras.Input((5, 4))
    model = keras.Model(inputs, layer(inputs, inputs))
    _, expected = layer(x, x, return_attention_scores=True)
    ((found,),) = attention.scores(model, x).values()
    assert np.allclose(found, keras.ops.convert_to_numpy(expected), atol=1e-6)


def test_each_head_has_its_map_and_positions_the_characters_that_were_read():
    x = np.array([[97, 36, 0x5B57, 32]] * 2, "int32")  # not those that were to come
    inputs = keras.Input((None,), dtype="int32")
    embedded = keras.layers.Embedding(0x10000, 2)(inputs)
    layer = keras.layers.MultiHeadAttention(2, 2, name="on")
    model = keras.Model(inputs, layer(embedded, embedded))
    shown = predictions(0 * x, predicted=0 * x, x=x, task="next-character", input_name="characters")
    drawn = dict(attention.maps(shown, model))
    assert list(drawn) == ["attention/on/sample 0", "attention/on/sample 1"]
    figure = drawn["attention/on/sample 1"]
    assert len(figure.axes) == 3  # and the bar of colors
    ((heads, *_),) = attention.scores(model, x)["on"]
    for axes, head in zip(figure.axes, heads, strict=False):
        np.testing.assert_array_equal(axes.images[0].get_array(), head)
        assert labels_of(axes.xaxis) == labels_of(axes.yaxis) == ["a", r"\$", "#2", "space"]
    assert (figure.get_supxlabel(), figure.get_supylabel()) == ("key", "query")


def test_where_many_layers_attend_fewer_samples_are_drawn(monkeypatch):
    monkeypatch.setattr(attention, "MOST_MAPS", 4)
    x = RNG.normal(size=(3, 6, 4)).astype("float32")
    maps = attention.maps(predictions([0] * 3, predicted=[0] * 3, x=x), attentive())
    assert len(list(maps)) == 4


# --- forecasts ----------------------------------------------------------------------------


def series(test=12, horizon=4, history=6, every=1):
    """Data of the task "forecast": 0, 1, 2, ... with a season of 2 steps."""
    values = np.arange(60.0, dtype="float32")
    both = np.lib.stride_tricks.sliding_window_view(values, history + horizon)[::every]
    part = (both[:, :history], both[:, history:])
    parts = (part, part, tuple(a[: test // every] for a in part))
    return Data("ramp", "forecast", "history", *parts, (), details=SeriesDetails(2, every))


def outputs(data, low, middle, high):
    return data.test[1][..., None] + np.array([low, middle, high], "float32")


def of(data, outputs):
    return Predictions(data, data.test, outputs, median(outputs))


@pytest.mark.parametrize("every", [1, 3])
def test_forecasts_follow_one_another_with_their_intervals(every):
    data = series(every=every)
    figure = forecast.forecasts(of(data, outputs(data, -1, 0.5, 2)))
    figures.png(figure)
    (axes,) = figure.axes
    past, first, *_, truth = (line.get_ydata() for line in axes.lines)
    assert np.array_equal(past, data.test[0][0][-6:])
    assert np.array_equal(first, data.test[1][0] + 0.5)
    assert np.array_equal(truth, np.ravel(data.test[1][:: max(1, 4 // every)]))
    assert np.array_equal(axes.lines[-1].get_xdata(), truth - truth[0])  # of a ramp
    corners = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (corners.min(), corners.max()) == (data.test[1][0, 0] - 1, data.test[1][0, -1] + 2)
    assert axes.get_title() == "ramp, 4 steps ahead: the 80 % prediction interval covers 100.0 %"


def test_forecasts_of_a_series_with_dates_are_drawn_over_dates():
    data = series()
    details = SeriesDetails(2, step="1 month", start="2024-11-01")
    data = dataclasses.replace(data, details=details)
    drawn = of(data, outputs(data, -1, 0.5, 2))
    (axes,) = forecast.forecasts(drawn).axes
    figures.png(axes.figure)
    assert axes.get_xlabel() == "date"
    past, first = (line.get_xdata().astype("datetime64[D]").astype(str) for line in axes.lines[:2])
    assert (past[-1], *first) == (
        "2024-10-01",
        *(f"2024-{n}-01" for n in (11, 12)),
        "2025-01-01",
        "2025-02-01",
    )
    _, spread = forecast.errors_by_step_ahead(drawn).axes
    assert spread.get_xlabel() == "steps of 1 month ahead"


def test_the_seasonal_naive_forecast_and_the_error_are_of_the_test_split():
    data = series()
    assert Forecast().further(data, outputs(data, -1, -1, 1))["mean absolute error"] == 1
    before = last_season(data, data.test[0])
    assert np.array_equal(data.test[1] - before, np.tile([2, 2, 4, 4], (12, 1)))


def test_errors_by_step_ahead_stand_beside_the_baselines():
    data = series()
    wrong = outputs(data, 0, 0, 0) + np.arange(4)[:, None]
    error, spread = forecast.errors_by_step_ahead(of(data, wrong)).axes
    assert error.lines[0].get_ydata().tolist() == [0, 1, 2, 3]
    assert error.lines[1].get_ydata().tolist() == [2, 2, 4, 4]
    assert [line.get_label() for line in error.lines] == ["forecast", "seasonal naive"]
    assert spread.lines[0].get_ydata().tolist() == [0, -1, -2, -3]


# --- which and when -----------------------------------------------------------------------


def some(input_name="frames", task="classification"):
    x, labels = RNG.normal(size=(12, 6, 4)).astype("float32"), np.arange(12, dtype="int32") % 2
    labels = np.tile(labels, (12, 1)) if task == "next-character" else labels
    return predictions(labels, predicted=labels, x=x, task=task, input_name=input_name)


TRAINING = ["confusion matrix", "sample predictions", "worst mistakes", "table of worst mistakes",
            "precision and recall"]  # fmt: skip
TEXTS = ["confusion matrix", "sample predictions", "table of worst mistakes"]


@pytest.mark.parametrize(
    ("shown", "while_training", "at_the_end"),
    [
        (some(), TRAINING, ["calibration", "frames"]),
        (some("waveform"), TRAINING, ["calibration", "spectrograms"]),
        (some("characters", "next-character"), TEXTS, ["calibration"]),
        (some("image", "segmentation"), ["masks"], []),
        (some("history", "forecast"), [], ["forecasts", "errors by step ahead"]),
    ],
    ids=["frames", "waveform", "text", "segmentation", "forecast"],
)
def test_what_is_drawn_while_training_and_at_the_end(shown, while_training, at_the_end):
    for names, end in ((while_training, False), (while_training + at_the_end, True)):
        assert pictures.of(shown.data, end) == [pictures.NAMED[name] for name in names]


def written(folder, shown, model=None):
    events = EventFile(folder)
    pictures.write(events, shown, step=1, model=model)
    events.close()
    return set(EventAccumulator(str(folder)).Reload().Tags()["tensors"])


@pytest.mark.slow
def test_what_pictures_return_is_written(tmp_path):
    shown = some()
    cheap = {"confusion matrix", "table of worst mistakes"}
    cheap |= {"precision-recall/0 a/pr_curves", "precision-recall/1 b/pr_curves"}
    assert written(tmp_path / "cheap", shown) == cheap
    inputs = keras.Input((6, 4))
    model = keras.Model(inputs, keras.layers.Attention(name="dot")([inputs, inputs]))
    maps = {f"attention/dot/sample {i}" for i in range(3)}
    assert written(tmp_path / "all", shown, model) == cheap | maps | {"calibration", "frames"}
    shown.outputs[0] = np.nan
    pictures.write(EventFile(tmp_path / "nothing"), shown, model=model)
    assert not (tmp_path / "nothing").exists()


def test_embeddings_are_judged_by_what_was_trained_on_alone(tmp_path, monkeypatch):
    """Among the known samples, no sample finds itself: labels drawn by lot are not found."""
    drawn = []
    monkeypatch.setattr(pictures, "write", lambda events, shown, step: drawn.append(shown))
    parts = [(RNG.normal(size=(40, 6)).astype("float32"), RNG.integers(0, 2, 40)) for _ in range(3)]
    data = Data("lots", "embedding", "point", *parts, ("a", "b"))
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    one = Pictures(tmp_path, data, epochs=5)
    one.set_model(model)
    one._draw(epoch=0)
    monkeypatch.setattr(embedding, "MOST_REFERENCES", 10)
    one._draw(epoch=1)
    for shown, chosen in zip(drawn, (np.arange(40), draw(40, 10)), strict=True):
        (x, y), (known_x, known_y) = shown.samples, (a[chosen] for a in data.train)
        embedded, known = (model.predict(a, verbose=0) for a in (x, known_x))
        found = neighbours.nearest_labels(embedded, known, known_y)
        np.testing.assert_array_equal(shown.predicted, found)
        assert 0.2 < np.mean(shown.predicted == y) < 0.8


def test_pictures_are_of_samples_from_all_over_the_part(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(pictures, "write", lambda events, shown, step: drawn.append(shown))
    monkeypatch.setattr(callback, "MOST_SAMPLES", 6)
    x, y = RNG.normal(size=(60, 6)).astype("float32"), np.repeat([0, 1, 2], 20)  # class by class
    data = Data("x", "classification", "point", (x, y), (x, y), (x, y), ("a", "b", "c"))
    one = Pictures(tmp_path, data, epochs=5)
    one.set_model(keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)]))
    one._draw(epoch=0)
    assert np.bincount(drawn[0].samples[1]).tolist() == [2, 2, 2]
    assert len(drawn[0].outputs) == 6


def trained(folder, monkeypatch, seconds, max_share):
    """Twenty epochs that take so many seconds each, on a clock of our own; drawing takes two."""
    now = [0.0]
    monkeypatch.setattr(callback, "clock", lambda: now[0])
    monkeypatch.setattr(
        callback.Pictures, "_draw", lambda self, epoch: now.__setitem__(0, now[0] + 2)
    )
    one = Pictures(folder, some().data, 20, max_share)
    one.on_train_begin()
    drawn = []
    for epoch in range(20):
        one.on_epoch_begin(epoch)
        now[0] += seconds
        before = one.measured
        one.on_epoch_end(epoch)
        drawn += [epoch] * (one.measured - before)
    one.on_train_end()
    return drawn


def test_pictures_keep_to_their_share_of_the_time(tmp_path, monkeypatch):
    assert trained(tmp_path, monkeypatch, 1, 1.0) == [3, 7, 11, 15, 19]
    assert trained(tmp_path, monkeypatch, 1, 0.01) == [
        19
    ]  # 20 s: 0.2 s for pictures, so once at the end
    assert trained(tmp_path, monkeypatch, 10, 0.01) == [3]  # 200 s: the first, and no second
    assert trained(tmp_path, monkeypatch, 100, 0.01) == [3, 7, 11, 15, 19]
