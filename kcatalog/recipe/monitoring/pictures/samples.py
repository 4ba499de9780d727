"""Samples side by side, each with what the model makes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw

from kcatalog.recipe.monitoring.pictures.lettering import font, readable

INK, PAPER = (32, 32, 32), (255, 255, 255)
RIGHT, WRONG = (0, 110, 50), (190, 20, 30)
COLUMNS, LINE = 4, 15  # samples in a row; pixels between two lines of a caption

Picture = Callable[[np.ndarray], np.ndarray]


def samples(
    x: np.ndarray,
    labels: np.ndarray,
    predicted: np.ndarray,
    classes: Sequence[str],
    picture: Picture,
    most: int = 16,
) -> np.ndarray:
    """Samples with the predicted class, wrong ones first and in red with the true class."""
    chosen = np.argsort(predicted == labels, kind="stable")[:most]
    captions = [
        readable(classes[p], p) + ("" if p == y else f", not {readable(classes[y], y)}")
        for p, y in zip(predicted[chosen], labels[chosen], strict=True)
    ]
    colors = [RIGHT if predicted[i] == labels[i] else WRONG for i in chosen]
    return side_by_side([picture(x[i]) for i in chosen], captions, colors)


def side_by_side(pictures: list[np.ndarray], captions: list[str], colors: list) -> np.ndarray:
    """Pictures of any size, four in a row, each above its caption of one or more lines."""
    lines = [c.split("\n") for c in captions]
    longest = max(int(font().getlength(line)) for caption in lines for line in caption)
    width = max(64, longest, *(p.shape[1] for p in pictures))
    above = max(p.shape[0] for p in pictures)
    height = above + 11 + LINE * max(map(len, lines))
    rows = -(-len(pictures) // COLUMNS)
    image = Image.new("RGB", (COLUMNS * (width + 8), rows * height), PAPER)
    draw = ImageDraw.Draw(image)
    for n, (drawn, caption, color) in enumerate(zip(pictures, lines, colors, strict=True)):
        left, top = n % COLUMNS * (width + 8) + 4, n // COLUMNS * height + 4
        image.paste(Image.fromarray(np.ascontiguousarray(drawn)), (left, top))
        for i, line in enumerate(caption):
            draw.text((left, top + above + 3 + i * LINE), line, color, font())
    return np.asarray(image)
