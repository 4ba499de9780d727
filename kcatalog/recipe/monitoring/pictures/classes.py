"""Pictures of predicted classes: confusion, calibration, precision and recall, worst mistakes."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np

from kcatalog.metrics import ExpectedCalibrationError
from kcatalog.recipe.monitoring.pictures import figures
from kcatalog.recipe.monitoring.pictures.predictions import Predictions
from kcatalog.recipe.tasks.multi_label import f1

MOST_CLASSES = 32
CELL, SMALLEST = 0.36, 3.2  # inches: a cell of the confusion matrix, and the smallest matrix
BINS = 15  # of the calibration curve
MARKDOWN = "\\`*_{}[]<>#|&~"


def confusion_matrix(p: Predictions):
    """Draw the counts of each true label's predictions, a row's shares as shades.

    With more than 32 classes, the most confused ones are drawn.
    """
    from sklearn.metrics import ConfusionMatrixDisplay

    classes = p.data.classes
    counts = np.zeros((len(classes), len(classes)), "int64")
    np.add.at(counts, (np.ravel(p.samples[1]), np.ravel(p.predicted)), 1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shown = np.sort(_most_confused(counts)[:MOST_CLASSES])
    counts, share = (values[np.ix_(shown, shown)] for values in (counts, share))
    every = figures.readable_names(classes)
    names = [every[i] for i in shown]

    side = max(SMALLEST, CELL * len(names))
    longest = figures.CHARACTER * max(map(len, names))
    turned = longest > side / len(names)
    drawn = figures.figure(side + longest + 0.6, side + (longest if turned else 0.3) + 0.7)
    axes = drawn.subplots()
    display = ConfusionMatrixDisplay(share, display_labels=names).plot(
        cmap="Blues",
        ax=axes,
        colorbar=False,
        xticks_rotation="vertical" if turned else "horizontal",
        im_kw={"vmin": 0, "vmax": 1},
    )
    for count, text in zip(counts.flat, display.text_.flat, strict=True):
        if count:
            brief = str(count) if count < 10_000 else f"{count / 1000:.0f}k"
            # cells have their size whatever stands in them
            text.set(text=brief, fontsize=8, in_layout=False)
        else:
            text.remove()
    axes.tick_params(labelsize=9)
    axes.set(xlabel="predicted label", ylabel="true label")
    if len(classes) > MOST_CLASSES:
        axes.set_title(f"{MOST_CLASSES} most confused of {len(classes)} classes", fontsize=10)
    return drawn


def confusion_of_tags(p: Predictions):
    """Draw the confusion matrix of all tags but those of padding, whose outputs are zero."""
    (x, y), real = p.samples, p.outputs.any(axis=-1)
    tags = dataclasses.replace(p, samples=(x, y[real]), predicted=p.predicted[real])
    return confusion_matrix(tags)


def _most_confused(counts: np.ndarray) -> np.ndarray:
    """Return the classes by mistakes, as true or as predicted label, then by frequency.

    >>> _most_confused(np.array([[9, 0, 0], [0, 1, 0], [0, 1, 5]])).tolist()
    [2, 1, 0]
    """
    frequency = counts.sum(axis=1)
    mistakes = frequency + counts.sum(axis=0) - 2 * np.diag(counts)
    return np.lexsort((-frequency, -mistakes))


def calibration(p: Predictions):
    """Draw accuracy over confidence, and a histogram of the confidence below.

    The bins are those of `ExpectedCalibrationError`, which stands in the title.
    """
    from sklearn.calibration import CalibrationDisplay

    y, probabilities = (a.astype("float32") for a in p.flat)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == y
    error = keras.ops.convert_to_numpy(ExpectedCalibrationError(BINS)(y, probabilities))

    drawn = figures.figure(5, 5.5)
    curve, histogram = drawn.subplots(2, sharex=True, height_ratios=(4, 1))
    CalibrationDisplay.from_predictions(
        right, confidence, n_bins=BINS, name="model", ax=curve, color=figures.MODEL
    )
    curve.set(xlim=(0, 1), ylim=(0, 1), xlabel="", ylabel="accuracy")
    curve.set_title(f"Expected calibration error: {float(error):.4f}")
    curve.legend(loc="upper left")
    histogram.hist(confidence, BINS, range=(0, 1), color=figures.MODEL, edgecolor="white")
    histogram.set(xlabel="confidence", ylabel="samples")
    return drawn


def precision_and_recall(p: Predictions):
    """Return the PR curve of each class that occurs against the others, at most 32."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.pr_curve import summary

    (labels, probabilities), classes, curves = p.flat, p.data.classes, Summary()
    frequency = np.bincount(labels, minlength=len(classes))
    for i in np.argsort(-frequency, kind="stable")[:MOST_CLASSES]:
        if frequency[i]:  # recall is undefined without positives
            tag = f"precision-recall/{i} {classes[i]}"
            curve = summary.pb(tag, labels == i, probabilities[:, i])
            curves.MergeFromString(curve.SerializeToString())
    return curves


def worst(p: Predictions, most: int = 16) -> np.ndarray:
    """Return the indices of the mistakes with the least probability of the true label."""
    labels, probabilities = p.flat
    right = np.take_along_axis(probabilities, labels[:, None].astype("int64"), axis=1)[:, 0]
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong[np.argsort(right[wrong], kind="stable")][:most]


def table_of_worst_mistakes(p: Predictions) -> str:
    """Write the worst mistakes as a Markdown table, with class names in any script.

    The mistakes of a text are its least expected characters, with what precedes them.
    """
    (labels, probabilities), classes, text = p.flat, p.data.classes, p.samples[1].ndim > 1
    chosen = worst(p)
    if not len(chosen):
        return f"No mistakes in {len(labels)} samples."
    titles = (
        "context" if text else "file" if p.file(0) else "sample",
        "true label",
        "probability",
        "predicted label",
    )
    rows = [f"| {' | '.join(titles)} | probability |", "|---" * 5 + "|"]
    for i in map(int, chosen):
        label, probability = labels[i], probabilities[i]
        predicted = probability.argmax()
        first = _cell(_before(p, i) if text else p.name(i))
        rows.append(
            f"| {first} | {_cell(classes[label])} | {probability[label]:.2g} "
            f"| {_cell(classes[predicted])} | {probability[predicted]:.2f} |"
        )
    return "\n".join(rows)


def names_by_number(p: Predictions) -> str | None:
    """Write the classes' names as a Markdown table, if figures do not show all of them in full."""
    names = p.data.classes
    if all(figures.shown_in_full(name) for name in names):
        return None
    rows = [f"| #{i} | {_cell(name)} |" for i, name in enumerate(names)]
    return "\n".join(["| number | class |", "|---" * 2 + "|", *rows])


def _before(p: Predictions, place: int) -> str:
    """Return up to 30 characters of a text before the one at this place of all texts."""
    window, at = divmod(place, p.samples[1].shape[1])
    return "".join(p.data.classes[c] for c in p.samples[1][window, max(0, at - 30) : at])


def _cell(text: str) -> str:
    """Escape text for a cell of a Markdown table.

    >>> _cell("a|b"), _cell(" "), _cell("字\\n<b>")
    ('a&#124;b', 'space', '字⏎&#60;b&#62;')
    """
    text = figures.VISIBLE.get(text, text.replace("\n", "⏎").replace("\t", "→"))
    return "".join(f"&#{ord(c)};" if c in MARKDOWN else c for c in text)


def f1_by_label(p: Predictions):
    """Draw the F1 of each label, beside the share of samples that have it."""
    y, names = p.samples[1], figures.readable_names(p.data.classes)
    places, scores = np.arange(len(names)), f1(y, p.predicted)
    drawn = figures.figure(7, 1 + 0.35 * len(names))
    axes = drawn.subplots()
    axes.barh(places - 0.2, scores, 0.4, color=figures.MODEL, label="F1")
    axes.barh(places + 0.2, y.mean(axis=0), 0.4, color=figures.BASELINE, label="share of samples")
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1))
    axes.legend(loc="lower right")
    return drawn
