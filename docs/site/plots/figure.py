"""Figures that are the same file in every build and can be read on light and dark pages."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

import matplotlib as mpl
from matplotlib.figure import Figure

FIRST, SECOND, THIRD, PALE = "#3b82c4", "#d9702b", "#5a9e4b", "#808080"
LINES = ("-", "--", "-.", ":")  # of lines that may lie on each other
STYLE = {
    "svg.hashsalt": "kcatalog",
    "svg.fonttype": "none",  # letters stay letters, which the page's reader has
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": mpl.cycler(color=[FIRST, SECOND, THIRD, PALE]),
    "legend.frameon": False,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor"), PALE),
    **dict.fromkeys(("xtick.color", "ytick.color", "axes.titlecolor"), PALE),
    "axes.titlesize": 10,
    "contour.linewidth": 1.0,
}


@contextlib.contextmanager
def figure(columns: int = 1, caption: str = "", **options) -> Iterator[tuple[list, io.BytesIO]]:
    """Yield the axes of a figure, and what holds its SVG at the end.

    Args:
        columns: how many axes stand side by side.
        caption: a sentence that tells what is drawn; it becomes the SVG's title.
        **options: for Matplotlib's `subplots`, such as `sharey=True`.
    """
    with mpl.rc_context(STYLE):
        drawn = Figure(figsize=(3.1 * columns + (1.9 if columns == 1 else 0), 2.8))
        axes, out = drawn.subplots(1, columns, squeeze=False, **options)[0], io.BytesIO()
        yield list(axes), out
        drawn.tight_layout()
        about = {"Date": None, **({"Title": caption} if caption else {})}
        drawn.savefig(out, format="svg", transparent=True, metadata=about)
