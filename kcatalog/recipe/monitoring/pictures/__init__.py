"""Pictures for TensorBoard: which ones a task has, and when they are drawn.

Those in `while_training` cost milliseconds and are drawn some five times a run. Those in
`at_the_end` have axes, which matplotlib draws, and come once, with the test part's scores.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kcatalog.recipe import tasks

SHOWN = 8  # samples in a picture with axes
ATTENDED = 3  # samples whose attention is drawn, fewer where many layers attend
MOST_MAPS = 12
MISTAKES = "table of worst mistakes"  # a name that a picture has cannot be a text's too


@dataclass(frozen=True)
class Judged:
    """Samples of some data, and what a model makes of them."""

    data: object
    samples: tuple[np.ndarray, np.ndarray]
    outputs: np.ndarray
    predicted: np.ndarray

    @functools.cached_property
    def probabilities(self) -> np.ndarray | None:
        """Of classes, where the model's outputs are logits."""
        scored = self.data.task in ("classification", "next-character")
        return tasks.probabilities(self.outputs) if scored else None


def writer(folder: Path):
    """Writes event files into a folder."""
    import tensorflow as tf

    with tf.device("CPU:0"):
        return tf.summary.create_file_writer(str(folder))


def while_training(writer, judged: Judged, step: int) -> None:
    """A confusion matrix, sample predictions, the worst mistakes, precision and recall."""
    import tensorflow as tf

    if not np.isfinite(judged.outputs).all():
        return
    with tf.device("CPU:0"), writer.as_default(step):
        if judged.data.task != "forecast":
            _of_classes(judged, step)


def at_the_end(writer, judged: Judged, model) -> None:
    """All of these, and calibration, sound, attention and forecasts."""
    import tensorflow as tf

    from kcatalog.recipe.monitoring.pictures import canvas

    while_training(writer, judged, step=0)
    if not np.isfinite(judged.outputs).all():
        return
    if not canvas.available():
        warnings.warn(
            "Calibration, sound, attention and forecasts are not drawn, as matplotlib is not "
            'installed. Install it with: pip install "kcatalog[recipes]"',
            stacklevel=2,
        )
        return
    with tf.device("CPU:0"), writer.as_default(0):
        for name, image in _with_axes(judged, model):
            tf.summary.image(name, image[None])


def _of_classes(judged: Judged, step: int) -> None:
    import tensorflow as tf

    from kcatalog.recipe.monitoring.pictures import mistakes, precision_recall
    from kcatalog.recipe.monitoring.pictures.confusion import confusion_matrix
    from kcatalog.recipe.monitoring.pictures.samples import samples

    data, (x, y), p = judged.data, judged.samples, judged.probabilities
    predicted, classes = judged.predicted, data.classes
    images = {"confusion matrix": confusion_matrix(y, predicted, classes)}
    if data.task == "next-character":
        tf.summary.text("sample predictions", _characters(data, y, predicted))
        tf.summary.text(MISTAKES, mistakes.character_table(y, p, classes))
    elif data.picture is not None:
        images["sample predictions"] = samples(x, y, predicted, classes, data.picture)
    if data.task == "classification":
        tf.summary.text(MISTAKES, mistakes.table(y, p, classes))
        precision_recall.write(y, p, classes, step)
        worst = data.picture and mistakes.mistakes(x, y, p, classes, data.picture)
        images |= {} if worst is None else {"worst mistakes": worst}
    for name, image in images.items():
        tf.summary.image(name, image[None])


def _with_axes(judged: Judged, model):
    """Names and images."""
    from kcatalog.recipe.monitoring.pictures import attention, calibration, forecast, spectrogram

    data, (x, y) = judged.data, judged.samples
    if judged.probabilities is not None:
        yield "calibration", calibration.calibration_curve(y, judged.probabilities)
    if data.task == "forecast":
        yield "forecasts", forecast.over_time(data, judged.outputs)
        yield "errors by step ahead", forecast.by_horizon(data, judged.outputs)
    if data.input_name in ("waveform", "frames"):
        chosen = np.argsort(judged.predicted == y, kind="stable")[:SHOWN]  # wrong ones first
        titles = [_title(data, y[i], judged.predicted[i]) for i in chosen]
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


def _title(data, label: int, predicted: int) -> str:
    from kcatalog.recipe.monitoring.pictures.lettering import readable

    title = readable(data.classes[predicted], predicted)
    return title if label == predicted else f"{title}, not {readable(data.classes[label], label)}"


def _characters(data, y: np.ndarray, predicted: np.ndarray, most: int = 8) -> str:
    """Each line: what stood there, and below it what was expected before each character."""
    rows = []
    for truth, guess in zip(y[:most, :60], predicted[:most, :60], strict=True):
        for title, ids in (("text ", truth), ("guess", guess)):
            rows.append(f"    {title}: {_line(data.classes, ids)}")
        rows.append("    ")
    return "\n".join(rows)


def _line(classes: Sequence[str], ids: np.ndarray) -> str:
    return "".join(classes[i] for i in ids).replace("\n", "⏎")
