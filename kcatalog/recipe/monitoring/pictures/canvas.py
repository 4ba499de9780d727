"""Drawings with axes, by matplotlib without its global state: no window, any thread."""

from __future__ import annotations

import importlib.util

import numpy as np

DOTS = 100  # per inch
MODEL, OTHER, TRUTH = "#14468c", "#be5a14", "#202020"


def available() -> bool:
    """Whether matplotlib, which comes with the `recipes` extra, is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def figure(width: float, height: float):
    """An empty figure of so many inches."""
    from matplotlib.figure import Figure

    return Figure((width, height), dpi=DOTS, layout="constrained")


def pixels(drawn) -> np.ndarray:
    """The figure as an (H, W, 3) image."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(drawn)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]


def plain(text: str) -> str:
    """Text that matplotlib does not take for mathematics."""
    return text.replace("$", r"\$")
