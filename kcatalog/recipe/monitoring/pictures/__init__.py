"""Pictures for TensorBoard: the ones that each task has, and when they are drawn.

`while_training` draws about five times a run, `at_the_end` once, with the test split's scores.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kcatalog.recipe import tasks
from kcatalog.recipe.data import inputs
from kcatalog.recipe.terminal.errors import RecipeError

SHOWN = 8  # sounds in a picture
OVERLAID = 4  # images with masks in a picture
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
        return tasks.of(self.data).probabilities(self.outputs)


def writer(folder: Path):
    """Return a writer of event files in a folder."""
    import tensorflow as tf

    with tf.device("CPU:0"):
        return tf.summary.create_file_writer(str(folder))


def while_training(writer, predictions: Predictions, step: int) -> None:
    """Draw the task's texts and figures that are cheap enough to draw during training."""
    import tensorflow as tf

    if not np.isfinite(predictions.outputs).all():
        return
    with tf.device("CPU:0"), writer.as_default(step):
        for write in _chosen(predictions.data, TEXTS).values():
            write(predictions)
        _draw(_chosen(predictions.data, FIGURES), predictions)


def at_the_end(writer, predictions: Predictions, model) -> None:
    """Draw the same as while training, and figures that are worth drawing once, with attention."""
    import tensorflow as tf

    from kcatalog.recipe.monitoring.pictures import figures

    while_training(writer, predictions, step=0)
    if np.isfinite(predictions.outputs).all() and figures.available():
        with tf.device("CPU:0"), writer.as_default(0):
            _draw(_chosen(predictions.data, FINAL_FIGURES), predictions)
            for name, figure in _attention(predictions, model):
                figures.log(name, figure)


def while_training_has(data) -> bool:
    """Return whether a task has anything to draw while training."""
    return bool(_chosen(data, TEXTS) or _chosen(data, FIGURES))


def _chosen(data, table: dict[str, Callable]) -> dict[str, Callable]:
    """Return the functions of a table that the task or the kind of input asks for, by name."""
    found, known = {}, {**TEXTS, **FIGURES, **FINAL_FIGURES}
    for picture in (*tasks.of(data).pictures, *inputs.kind(data.input_name).pictures):
        if callable(picture):  # a task's own figure
            if table is FIGURES:
                found[picture.__name__.replace("_", " ")] = picture
        elif picture not in known:
            raise RecipeError(
                f"The task {str(data.task)!r} asks for the picture {picture!r}, which is none of "
                f"{', '.join(known)}."
            )
        elif picture in table:
            found[picture] = table[picture]
    return found


def _draw(chosen: dict[str, Callable], predictions: Predictions) -> None:
    from kcatalog.recipe.monitoring.pictures import figures

    if chosen and not figures.available():
        warnings.warn(
            "Cannot draw pictures for TensorBoard: matplotlib is not installed. "
            'Install it with: pip install "kcatalog[recipes]"',
            stacklevel=2,
        )
        return
    for name, draw in chosen.items():
        figure = draw(predictions)
        if figure is not None:
            figures.log(name, figure)


# --- texts ------------------------------------------------------------------------------


def _sample_texts(p: Predictions) -> None:
    import tensorflow as tf

    tf.summary.text("sample predictions", _characters(p.data, p.samples[1], p.predicted))


def _table_of_mistakes(p: Predictions) -> None:
    import tensorflow as tf

    from kcatalog.recipe.monitoring.pictures import mistakes

    tf.summary.text(MISTAKES, mistakes.table(p.samples[1], p.probabilities, p.data.classes))


def _table_of_characters(p: Predictions) -> None:
    import tensorflow as tf

    from kcatalog.recipe.monitoring.pictures import mistakes

    table = mistakes.character_table(p.samples[1], p.probabilities, p.data.classes)
    tf.summary.text(MISTAKES, table)


def _precision_and_recall(p: Predictions) -> None:
    import tensorflow as tf

    from kcatalog.recipe.monitoring.pictures import precision_recall

    step = tf.summary.experimental.get_step()
    precision_recall.write(p.samples[1], p.probabilities, p.data.classes, step)


# --- figures ----------------------------------------------------------------------------


def _confusion_matrix(p: Predictions):
    from kcatalog.recipe.monitoring.pictures.confusion import confusion_matrix

    return confusion_matrix(p.samples[1], p.predicted, p.data.classes)


def _sample_predictions(p: Predictions):
    from kcatalog.recipe.monitoring.pictures import samples

    if p.data.picture is None:
        return None
    return samples.sample_predictions(*p.samples, p.predicted, p.data.classes, p.data.picture)


def _worst_mistakes(p: Predictions):
    from kcatalog.recipe.monitoring.pictures import samples

    if p.data.picture is None:
        return None
    return samples.worst_mistakes(*p.samples, p.probabilities, p.data.classes, p.data.picture)


def _masks(p: Predictions):
    from kcatalog.recipe.monitoring.pictures import samples

    (x, y), masks = p.samples, []
    images = [p.data.picture(image) for image in x[:OVERLAID]]
    for mask in (y[:OVERLAID], p.predicted[:OVERLAID]):
        factor = images[0].shape[0] // mask.shape[1]  # small images are shown enlarged
        masks.append(np.repeat(np.repeat(mask, factor, axis=1), factor, axis=2))
    return samples.overlays(images, *masks, p.data.classes)


def _calibration(p: Predictions):
    from kcatalog.recipe.monitoring.pictures import calibration

    return calibration.calibration_curve(p.samples[1], p.probabilities)


def _spectrograms(p: Predictions):
    from kcatalog.recipe.monitoring.pictures import spectrogram

    chosen, titles = _mistakes_first(p)
    return spectrogram.spectrograms(p.samples[0][chosen], p.data.details.rate, titles)


def _frames(p: Predictions):
    from kcatalog.recipe.monitoring.pictures import spectrogram

    chosen, titles = _mistakes_first(p)
    return spectrogram.frames(p.samples[0][chosen], titles)


def _mistakes_first(p: Predictions) -> tuple[np.ndarray, list[str]]:
    """Return the places of some samples, and a caption of each."""
    from kcatalog.recipe.monitoring.pictures.samples import caption

    (x, y), classes = p.samples, p.data.classes
    if not classes:
        return np.arange(len(x))[:SHOWN], [""] * min(len(x), SHOWN)
    chosen = np.argsort(p.predicted == y, kind="stable")[:SHOWN]
    return chosen, [caption(classes, y[i], p.predicted[i]) for i in chosen]


def _forecasts(p: Predictions):
    from kcatalog.recipe.monitoring.pictures import forecast
    from kcatalog.recipe.tasks.forecast import BAND, coverage

    data, (x, y) = p.data, p.data.test
    horizon = y.shape[1]
    context = min(x.shape[1], 2 * max(horizon, data.details.season))
    title = (
        f"{data.name}, {horizon} steps ahead: the {BAND:.0f} % prediction interval "
        f"covers {coverage(y, p.outputs):.1f} %"
    )
    return forecast.over_time(x[0, -context:], y, p.outputs, data.details.every, title)


def _errors_by_step(p: Predictions):
    from kcatalog.recipe.monitoring.pictures import forecast
    from kcatalog.recipe.tasks.forecast import last_season, median

    x, y = p.data.test
    return forecast.by_horizon(y, median(p.outputs), last_season(p.data, x))


def _attention(predictions: Predictions, model):
    """Yield the name and the figure of each attention map."""
    from kcatalog.recipe.monitoring.pictures import attention

    x, text = predictions.samples[0], inputs.kind(predictions.data.input_name).characters
    found = attention.scores(model, x[:ATTENDED])
    for layer, calls in found.items():
        for call in calls:
            for i, heads in enumerate(call[: max(1, MOST_MAPS // len(found))]):
                names = [chr(c) for c in x[i]] if text else None
                title = f"{layer}, sample {i}"
                yield f"attention/{layer}/sample {i}", attention.maps(heads, names, title)


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


TEXTS = {
    "sample texts": _sample_texts,
    MISTAKES: _table_of_mistakes,
    "table of worst characters": _table_of_characters,
    "precision and recall": _precision_and_recall,
}
FIGURES = {
    "confusion matrix": _confusion_matrix,
    "masks": _masks,
    "sample predictions": _sample_predictions,
    "worst mistakes": _worst_mistakes,
}
FINAL_FIGURES = {
    "calibration": _calibration,
    "forecasts": _forecasts,
    "errors by step ahead": _errors_by_step,
    "frames": _frames,
    "spectrograms": _spectrograms,
}
