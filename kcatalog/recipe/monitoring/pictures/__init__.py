"""Pictures for TensorBoard: the ones that each task has, and when they are drawn.

`while_training` draws about five times a run, `at_the_end` once, with the test split's scores.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kcatalog.recipe import tasks

SHOWN = 8  # sounds in a picture
ATTENDED = 3  # samples with attention maps, fewer with many attention layers
MOST_MAPS = 12
MISTAKES = "table of worst mistakes"  # TensorBoard takes a name for pictures or for texts


@dataclass(frozen=True)
class Predictions:
    """Samples and a model's predictions of them."""

    data: object
    samples: tuple[np.ndarray, np.ndarray]
    outputs: np.ndarray
    predicted: np.ndarray

    @functools.cached_property
    def probabilities(self) -> np.ndarray | None:
        """Class probabilities, if the model's outputs are logits, else None."""
        scored = self.data.task in ("classification", "next-character")
        return tasks.probabilities(self.outputs) if scored else None


def writer(folder: Path):
    """Return a writer of event files in a folder."""
    import tensorflow as tf

    with tf.device("CPU:0"):
        return tf.summary.create_file_writer(str(folder))


def while_training(writer, predictions: Predictions, step: int) -> None:
    """Draw a confusion matrix, sample predictions, worst mistakes, precision and recall."""
    import tensorflow as tf

    if not np.isfinite(predictions.outputs).all():
        return
    with tf.device("CPU:0"), writer.as_default(step):
        if predictions.data.task != "forecast":
            _of_classes(predictions, step)


def at_the_end(writer, predictions: Predictions, model) -> None:
    """Draw the same as while training, and calibration, sound, attention and forecasts."""
    import tensorflow as tf

    from kcatalog.recipe.monitoring.pictures import figures

    while_training(writer, predictions, step=0)
    if np.isfinite(predictions.outputs).all() and figures.available():
        with tf.device("CPU:0"), writer.as_default(0):
            for name, figure in _in_detail(predictions, model):
                figures.log(name, figure)


def _of_classes(predictions: Predictions, step: int) -> None:
    import tensorflow as tf

    from kcatalog.recipe.monitoring.pictures import figures, mistakes, precision_recall

    data, (_, y), p = predictions.data, predictions.samples, predictions.probabilities
    if data.task == "next-character":
        tf.summary.text("sample predictions", _characters(data, y, predictions.predicted))
        tf.summary.text(MISTAKES, mistakes.character_table(y, p, data.classes))
    if data.task == "classification":
        tf.summary.text(MISTAKES, mistakes.table(y, p, data.classes))
        precision_recall.write(y, p, data.classes, step)
    if not figures.available():
        warnings.warn(
            "Cannot draw pictures for TensorBoard: matplotlib is not installed. "
            'Install it with: pip install "kcatalog[recipes]"',
            stacklevel=2,
        )
        return
    for name, figure in _figures(predictions):
        if figure is not None:
            figures.log(name, figure)


def _figures(predictions: Predictions):
    """Yield the name and the figure of each picture that is drawn while training."""
    from kcatalog.recipe.monitoring.pictures import samples
    from kcatalog.recipe.monitoring.pictures.confusion import confusion_matrix

    data, (x, y), predicted = predictions.data, predictions.samples, predictions.predicted
    yield "confusion matrix", confusion_matrix(y, predicted, data.classes)
    if data.picture is not None and data.task != "next-character":
        shown = x, y, predicted, data.classes, data.picture
        yield "sample predictions", samples.sample_predictions(*shown)
    if data.picture is not None and data.task == "classification":
        shown = x, y, predictions.probabilities, data.classes, data.picture
        yield "worst mistakes", samples.worst_mistakes(*shown)


def _in_detail(predictions: Predictions, model):
    """Yield the name and the figure of each picture that is drawn at the end."""
    from kcatalog.recipe.monitoring.pictures import attention, calibration, spectrogram
    from kcatalog.recipe.monitoring.pictures.samples import caption

    data, (x, y) = predictions.data, predictions.samples
    if predictions.probabilities is not None:
        yield "calibration", calibration.calibration_curve(y, predictions.probabilities)
    if data.task == "forecast":
        yield from _of_forecasts(data, predictions.outputs)
    if data.input_name in ("waveform", "frames"):
        chosen = np.argsort(predictions.predicted == y, kind="stable")[:SHOWN]  # mistakes first
        titles = [caption(data.classes, y[i], predictions.predicted[i]) for i in chosen]
        if data.input_name == "frames":
            yield "frames", spectrogram.frames(x[chosen], titles)
        else:
            yield "spectrograms", spectrogram.spectrograms(x[chosen], data.details.rate, titles)
    found = attention.scores(model, x[:ATTENDED])
    for layer, calls in found.items():
        for call in calls:
            for i, heads in enumerate(call[: max(1, MOST_MAPS // len(found))]):
                names = [chr(c) for c in x[i]] if data.input_name == "characters" else None
                title = f"{layer}, sample {i}"
                yield f"attention/{layer}/sample {i}", attention.maps(heads, names, title)


def _of_forecasts(data, outputs: np.ndarray):
    from kcatalog.recipe.monitoring.pictures import forecast
    from kcatalog.recipe.tasks import forecasts

    (x, y), horizon = data.test, data.test[1].shape[1]
    context = min(x.shape[1], 2 * max(horizon, data.details.season))
    title = (
        f"{data.name}, {horizon} steps ahead: the {forecasts.BAND:.0f} % prediction interval "
        f"covers {forecasts.coverage(y, outputs):.1f} %"
    )
    yield (
        "forecasts",
        forecast.over_time(x[0, -context:], y, outputs, data.details.every, title),
    )
    baseline = forecasts.last_season(data, x)
    yield "errors by step ahead", forecast.by_horizon(y, forecasts.median(outputs), baseline)


def _characters(data, y: np.ndarray, predicted: np.ndarray, most: int = 8) -> str:
    """Write texts line by line, each above the characters that were predicted for it."""
    rows = []
    for truth, guess in zip(y[:most, :60], predicted[:most, :60], strict=True):
        for title, ids in (("true     ", truth), ("predicted", guess)):
            rows.append(f"    {title}: {_line(data.classes, ids)}")
        rows.append("    ")
    return "\n".join(rows)


def _line(classes: Sequence[str], ids: np.ndarray) -> str:
    return "".join(classes[i] for i in ids).replace("\n", "⏎")
