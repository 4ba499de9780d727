"""Figures by matplotlib, drawn without pyplot: no window, no global state, in any thread.

Drawing functions return a `Figure`; `pixels` renders it. matplotlib is imported when the first
figure is drawn, so that a recipe starts as fast as without it.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Sequence

import numpy as np

DPI = 100
MODEL, BASELINE, TRUTH = "#14468c", "#be5a14", "#202020"
RIGHT, WRONG = "#006e32", "#be141e"
CHARACTER = 0.075  # inches, the width of an average character of 9 points
VISIBLE = {" ": "space", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
LONGEST = 40  # characters of a name


def available() -> bool:
    """Return whether matplotlib, which comes with the `recipes` extra, is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def figure(width: float, height: float, layout: str | None = "constrained"):
    """Return an empty figure, its size in inches."""
    from matplotlib.figure import Figure

    return Figure((width, height), dpi=DPI, layout=layout)


def grid(count: int, columns: int, width: float, height: float, margin: float = 0.0):
    """Return a figure and its `count` axes in rows of up to `columns`, each of this size."""
    columns = min(columns, count)
    rows = -(-count // columns)
    drawn = figure(columns * width + margin, rows * height)
    axes = drawn.subplots(rows, columns, squeeze=False).ravel()
    for unused in axes[count:]:
        unused.remove()
    return drawn, list(axes[:count])


def pixels(drawn) -> np.ndarray:
    """Render a figure as an (H, W, 3) array of uint8."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(drawn)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]


def log(name: str, drawn) -> None:
    """Write a figure to TensorBoard's current writer."""
    import tensorflow as tf

    tf.summary.image(name, pixels(drawn)[None])


def readable(name: str, index: int) -> str:
    r"""Return a class name that matplotlib can draw.

    White space becomes visible, `?` replaces characters that the font lacks, and a name without
    any character that it has becomes the class's number. Dollar signs do not start a formula.

    >>> readable("кошка", 3), readable(" ", 3), readable("字", 3), readable("5 $", 3)
    ('кошка', 'space', '#3', '5 \\$')
    """
    name = VISIBLE.get(name, " ".join(name.split()) or "''")
    if len(name) > LONGEST:
        name = name[: LONGEST - 1] + "…"
    drawn = "".join(c if c.isprintable() and ord(c) in _characters() else "?" for c in name)
    return f"#{index}" if not drawn.strip("? ") and name.strip("?") else plain(drawn)


def plain(text: str) -> str:
    """Return text that matplotlib does not read as a formula."""
    return text.replace("$", r"\$")


def readable_names(classes: Sequence[str]) -> list[str]:
    """Return the classes' names as `readable` writes them."""
    return [readable(name, i) for i, name in enumerate(classes)]


@functools.cache
def _characters() -> frozenset[int]:
    """Return the code points that matplotlib's default font has."""
    from matplotlib import font_manager

    file = font_manager.findfont(font_manager.FontProperties())
    return frozenset(font_manager.get_font(file).get_charmap())
