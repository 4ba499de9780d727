"""Class names that can be drawn."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

from PIL import ImageFont  # TensorBoard brings Pillow

VISIBLE = {" ": "space", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
NO_CHARACTER = "\uffff"


@functools.cache
def font() -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib and knows most alphabets; else Pillow's own."""
    found = importlib.util.find_spec("matplotlib")  # located, not imported: that takes longer
    if found is not None:
        file = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if file.exists():
            return ImageFont.truetype(file, 11)
    return ImageFont.load_default(size=11)


def readable(name: str, index: int, most: int = 14) -> str:
    """A class name that fits; white space made visible, `?` for what the font cannot draw.

    A name of which nothing can be drawn becomes the class's number, as in `#3`.

    >>> readable("кошка", 3), readable(" ", 3), readable("字", 3)
    ('кошка', 'space', '#3')
    """
    name = VISIBLE.get(name, " ".join(name.split()) or "''")
    drawn = "".join(c if _drawable(c) else "?" for c in name[:most])
    return f"#{index}" if not drawn.strip("? ") and name.strip("?") else drawn


@functools.cache
def _drawable(character: str) -> bool:
    def shape(c):
        mask = font().getmask(c)
        return mask.size, bytes(mask)

    return character == " " or (character.isprintable() and shape(character) != shape(NO_CHARACTER))
