"""Figures by matplotlib, drawn without pyplot: no window, no global state, in any thread.

matplotlib is imported when the first figure is drawn, so that a recipe starts as fast as without
it.
"""

from __future__ import annotations

import collections
import functools
import io
from collections.abc import Sequence

import numpy as np

MODEL, BASELINE, TRUTH = "#14468c", "#be5a14", "#202020"
RIGHT, WRONG = "#006e32", "#be141e"
CHARACTER = 0.075  # inches, the width of an average character of 9 points
VISIBLE = {" ": "space", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
LONGEST = 40  # characters of a name
SIZE, LINE = 1.6, 0.17  # inches: an image without axes, and a line of its caption


def figure(width: float, height: float, layout: str | None = "constrained"):
    """Return an empty figure, its size in inches."""
    from matplotlib.figure import Figure

    return Figure((width, height), dpi=100, layout=layout)


def png(drawn) -> bytes:
    """Render a figure as a PNG file, with other fonts for what the default one lacks."""
    from matplotlib.text import Text

    for text in drawn.findobj(Text):
        missing = {ord(c) for c in text.get_text()} - _default()
        if families := {_family(c) for c in missing if _family(c)}:
            text.set_fontfamily([*text.get_fontfamily(), *sorted(families)])
    file = io.BytesIO()
    drawn.savefig(file)
    return file.getvalue()


def summary(name: str, drawn):
    """Return a figure as a summary for TensorBoard's Images tab."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.image import metadata
    from tensorboard.util.tensor_util import make_tensor_proto

    width, height = (str(pixels).encode() for pixels in drawn.canvas.get_width_height())
    about = metadata.create_summary_metadata(display_name=None, description=None)
    image = make_tensor_proto([width, height, png(drawn)])
    return Summary(value=[Summary.Value(tag=name, tensor=image, metadata=about)])


def grid(
    images: Sequence[np.ndarray],
    titles: Sequence[str],
    size: tuple[float, float],
    labels: tuple[str, str, str],
    **how,
):
    """Draw arrays as images, each in axes of its own, with one bar of colors.

    `size` is that of one pair of axes in inches, `labels` are those of the x axes, the y axes and
    the bar, and `how` has arguments of `imshow`, the limits of the colors among them.
    """
    columns = min(4, len(images))
    rows = -(-len(images) // columns)
    drawn = figure(columns * size[0] + 0.9, rows * size[1])
    places = drawn.subplots(rows, columns, squeeze=False).ravel()
    for axes, image, title in zip(places, images, titles, strict=False):
        shown = axes.imshow(image, **how)
        axes.set_title(title, fontsize=9)
        axes.set(xlabel=labels[0], ylabel=labels[1])
    for unused in places[len(images) :]:
        unused.remove()
    drawn.colorbar(shown, ax=places[: len(images)], label=labels[2])
    return drawn


def side_by_side(
    images: Sequence[np.ndarray],
    captions: Sequence[str],
    colors: Sequence[str],
    columns: int = 4,
    margin: float = 0.0,
):
    """Draw images of any size in rows, each below its caption.

    All share one pair of axes, in inches, as a pair for each takes four times as long.
    """
    lines = [text.split("\n") for text in captions]
    longest = max(len(line) for caption in lines for line in caption)
    width = max(SIZE, CHARACTER * longest) + 0.1
    height = SIZE + LINE * max(map(len, lines)) + 0.1
    columns = min(columns, len(images))
    size = columns * width + margin, -(-len(images) // columns) * height
    drawn = figure(*size, layout=None)
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


def readable(name: str, index: int) -> str:
    r"""Return a class name that matplotlib can draw.

    White space becomes visible, `?` replaces characters that no font has, and a name without
    any character that one has becomes the class's number. Dollar signs do not start a formula.
    Long names lose their middle, since names that begin alike often differ in their end.

    >>> readable("кошка", 3), readable(" ", 3), readable("\ue000", 3), readable("5 $", 3)
    ('кошка', 'space', '#3', '5 \\$')
    """
    name = VISIBLE.get(name, " ".join(name.split()) or "''")
    if len(name) > LONGEST:
        name = f"{name[: LONGEST // 2]}…{name[1 - LONGEST // 2 :]}"
    drawn = plain(name)
    return f"#{index}" if not drawn.strip("? ") and name.strip("?") else drawn


def shown_in_full(name: str) -> bool:
    """Return whether figures show a class's name, and not a part or a number."""
    return readable(name, 0).replace(r"\$", "$") == VISIBLE.get(name, name)


def folded(name: str, width: int) -> str:
    r"""Return a file's name in up to three lines. A longer one loses its middle.

    >>> folded("cat/a_long_name.png", 10)
    'cat/a_long\n_name.png'
    """
    if len(name) > 3 * width:
        name = f"{name[: width - 1]}…{name[-2 * width :]}"
    return "\n".join(plain(name[i : i + width]) for i in range(0, len(name), width))


def plain(text: str) -> str:
    """Return text that matplotlib can draw, and does not read as a formula."""
    drawn = (c if c == "\n" or (c.isprintable() and _has(ord(c))) else "?" for c in text)
    return "".join(drawn).replace("$", r"\$")


def readable_names(classes: Sequence[str]) -> list[str]:
    """Return names as `readable` writes them, and numbers where it makes different ones alike."""
    classes = list(classes)
    names = [readable(name, i) for i, name in enumerate(classes)]
    alike = collections.Counter(name for name, _ in set(zip(names, classes, strict=True)))
    return [name if alike[name] == 1 else f"{name} #{i}" for i, name in enumerate(names)]


def _has(character: int) -> bool:
    return character in _default() or _family(character) is not None


@functools.cache
def _default() -> frozenset[int]:
    """Return the code points that matplotlib's default font has."""
    from matplotlib import font_manager

    return _charmap(font_manager.findfont(font_manager.FontProperties()))


@functools.cache
def _family(character: int) -> str | None:
    """Return the family of an installed font that has a character, or None."""
    from matplotlib import font_manager

    fonts = sorted(font_manager.fontManager.ttflist, key=lambda font: font.name)
    return next(
        (
            font.name
            for font in fonts
            if "Last Resort" not in font.name and character in _charmap(font.fname)
        ),
        None,  # but for the boxes of the last resort
    )


@functools.cache
def _charmap(file: str) -> frozenset[int]:
    """Return a font's code points; none where matplotlib cannot draw it, as with colored ones."""
    from matplotlib import font_manager

    try:
        return frozenset(font_manager.get_font(file).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()
