"""Samples side by side: predictions, the worst mistakes, and segmentations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from kcatalog.recipe.monitoring.pictures import figures
from kcatalog.recipe.monitoring.pictures.mistakes import worst

MOST, COLUMNS = 16, 4  # samples, samples in a row
SIZE, LINE = 1.6, 0.17  # inches: an image, and a line of its caption

Picture = Callable[[np.ndarray], np.ndarray]  # of a sample: (H, W, 3), uint8


def sample_predictions(
    x: np.ndarray,
    labels: np.ndarray,
    predicted: np.ndarray,
    classes: Sequence[str],
    picture: Picture,
):
    """Draw samples with their predicted labels, mistakes first and in red."""
    chosen = np.argsort(predicted == labels, kind="stable")[:MOST]
    return side_by_side(
        [picture(x[i]) for i in chosen],
        [caption(classes, labels[i], predicted[i]) for i in chosen],
        [figures.RIGHT if predicted[i] == labels[i] else figures.WRONG for i in chosen],
    )


def worst_mistakes(
    x: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    picture: Picture,
):
    """Draw the mistakes with the highest cross-entropy, or return None if there are none."""
    chosen = worst(labels, probabilities, MOST)
    if not len(chosen):
        return None
    captions = [
        caption(classes, labels[i], probabilities[i].argmax(), probabilities[i]) for i in chosen
    ]
    return side_by_side([picture(x[i]) for i in chosen], captions, [figures.WRONG] * len(chosen))


def caption(
    classes: Sequence[str], label: int, predicted: int, probabilities: np.ndarray | None = None
) -> str:
    """Write a sample's predicted label and, if it is another, its true label.

    >>> caption(("cat", "dog"), 0, 1, np.array([0.2, 0.8]))
    'predicted dog 0.80\\ntrue cat 0.2'
    """
    names = [figures.readable(classes[i], i) for i in (predicted, label)]
    if label == predicted:
        return names[0]
    if probabilities is not None:
        names[0] += f" {probabilities[predicted]:.2f}"
        names[1] += f" {probabilities[label]:.2g}"
    return f"predicted {names[0]}\ntrue {names[1]}"


def side_by_side(
    images: Sequence[np.ndarray],
    captions: Sequence[str],
    colors: Sequence[str],
    columns: int = COLUMNS,
    margin: float = 0.0,
):
    """Draw images of any size in rows, each below its caption.

    All share one pair of axes, in inches, as a pair for each takes ten times as long.
    """
    lines = [text.split("\n") for text in captions]
    longest = max(len(line) for caption in lines for line in caption)
    width = max(SIZE, figures.CHARACTER * longest) + 0.1
    height = SIZE + LINE * max(map(len, lines)) + 0.1
    columns = min(columns, len(images))
    size = columns * width + margin, -(-len(images) // columns) * height
    drawn = figures.figure(*size, layout=None)
    axes = drawn.add_axes((0, 0, 1, 1))
    for i, (image, text, color) in enumerate(zip(images, captions, colors, strict=True)):
        left, bottom = i % columns * width + 0.05, size[1] - (i // columns + 1) * height + 0.05
        tall, wide = (SIZE * n / max(image.shape[:2]) for n in image.shape[:2])
        extent = (left, left + wide, bottom, bottom + tall)
        axes.imshow(image, extent=extent, interpolation="nearest")
        axes.text(left, bottom + SIZE + 0.03, text, color=color, fontsize=8)
    axes.set(xlim=(0, size[0]), ylim=(0, size[1]))
    axes.axis("off")
    return drawn


def overlays(
    images: Sequence[np.ndarray],
    true_masks: np.ndarray,
    predicted_masks: np.ndarray,
    classes: Sequence[str],
):
    """Draw each image beside its true and its predicted mask, with a legend of the classes.

    Args:
        images: (H, W, 3) each, uint8.
        true_masks, predicted_masks: class indices (samples, H, W); others stay transparent.
        classes: the classes' names.
    """
    from matplotlib import colormaps
    from matplotlib.patches import Patch

    palette = np.array(colormaps["tab10" if len(classes) <= 10 else "tab20"].colors)
    colors = palette[np.arange(len(classes)) % len(palette)]
    shown = []
    for image, *masks in zip(images, true_masks, predicted_masks, strict=True):
        shown += [image, *(_overlay(image, mask, colors) for mask in masks)]
    captions = ["input", "true mask", "predicted mask"] * len(images)
    names = figures.readable_names(classes)
    margin = 0.6 + figures.CHARACTER * max(map(len, names))
    drawn = side_by_side(shown, captions, [figures.TRUTH] * len(shown), 3, margin)
    drawn.legend([Patch(color=c) for c in colors], names, loc="upper right", fontsize=8)
    return drawn


def _overlay(image: np.ndarray, mask: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Blend an image with its mask's colors."""
    known = ((mask >= 0) & (mask < len(colors)))[..., None]
    painted = 0.4 * image + 0.6 * 255 * colors[np.clip(mask, 0, len(colors) - 1)]
    return np.where(known, painted, image).astype("uint8")
