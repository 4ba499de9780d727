"""Facts in the headers of image files, and how the samples' pixels differ from the files'."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kcatalog.recipe.data import pixels
from kcatalog.recipe.data.findings import Finding
from kcatalog.recipe.data.info import Details
from kcatalog.recipe.data.pixels import Range


@dataclass(frozen=True)
class ImageDetails(Details):
    """Facts about images.

    integers, floats: the values that become black and white, of grey images whose pixels are
        integers of more than 8 bits, or floats. None where there were no such images to learn
        from; each is then scaled by what itself holds.
    """

    integers: Range | None = None
    floats: Range | None = None


@dataclass(frozen=True)
class Header:
    """Facts about an image file.

    size: width and height, turned.
    mode: Pillow's mode.
    colour: whether it has colours, or a palette with some.
    clear: whether it has transparency.
    turned: whether its EXIF data turn it.
    frames: whether it has several frames or pages.
    halved: whether channels of 16 bits are read as their upper 8.
    values: its lowest and highest value, where pixels have more than 8 bits.
    """

    size: tuple[int, int]
    mode: str
    colour: bool
    clear: bool
    turned: bool
    frames: bool
    halved: bool
    values: Range | None


def read_header(file: Path) -> Header:
    """Read what an image's header says; decode those with more than 8 bits a pixel."""
    with pixels.opened(file) as image:
        whole = image.format == "PNG" and "exif" not in image.info  # Pillow would look to its end
        orientation, values = 1 if whole else pixels.orientation_of(image), None
        if pixels.is_deep(image):
            found = pixels.numbers_of(image, file)
            values = float(found.min()), float(found.max())
        return Header(
            image.size[::-1] if orientation >= 5 else image.size,
            image.mode,
            _colourful(image),
            pixels.is_clear(image),
            orientation > 1,
            # the further frames of an MPO file are other views of a phone's photograph
            getattr(image, "is_animated", False) and image.format != "MPO",
            not pixels.is_deep(image) and ";16" in str(image.tile),
            values,
        )


def details(headers: list[Header]) -> ImageDetails:
    """Return the ranges that all files are scaled by."""
    deep = {"integers": [], "floats": []}
    for header in headers:
        if header.values:
            deep["floats" if header.mode == "F" else "integers"] += header.values
    return ImageDetails(**{name: pixels.full_range(v) for name, v in deep.items() if v})


def findings(
    headers: list[Header], shape: tuple[Any, ...], details: ImageDetails
) -> Iterator[Finding]:
    """Report how the pixels of the samples differ from those of the files."""
    height, width, channels = shape
    sizes = collections.Counter(header.size for header in headers)
    (most, _), others = sizes.most_common(1)[0], len(sizes) - 1
    if set(sizes) != {(width, height)}:
        changes = [w / h * height / width for w, h in sizes]
        change = max(max(c, 1 / c) for c in changes)
        text = f"from {most[0]}x{most[1]}"
        text += f" and {others} other size{'s' if others > 1 else ''}" if others else ""
        text += f" to {width}x{height}"
        text += f", stretched by up to {change:.2g} to 1" if change > 1.01 else ""
        yield Finding("resized", text, warning=change > 2)
    for kind, scale in dataclasses.asdict(details).items():
        files = [h for h in headers if h.values and (h.mode == "F") == (kind == "floats")]
        if files:
            low, high = scale
            text = f"{_files(len(files))} of {kind}, scaled from {low:g}..{high:g} to 0..255"
            yield Finding("pixels", text)
    counts = {
        "with transparency, laid on white": sum(h.clear for h in headers),
        "turned as the EXIF data say": sum(h.turned for h in headers),
        "with several frames or pages, read the first": sum(h.frames for h in headers),
        "in CMYK, converted to RGB": sum(h.mode == "CMYK" for h in headers),
        "of 16 bits a channel, read as the upper 8": sum(h.halved for h in headers),
    }
    if channels == 1:
        counts["in colour, made grey"] = sum(h.colour for h in headers)
    for words, count in counts.items():
        if count:
            yield Finding("pixels", f"{_files(count)} {words}", warning="upper 8" in words)


def note(header: Header, details: ImageDetails) -> dict[str, str]:
    """Return what a prediction for an image should mention, under "note"."""
    notes = ["the first of several frames or pages"] if header.frames else []
    scale = details.floats if header.mode == "F" else details.integers
    if header.values and not scale:
        notes.append("more than 8 bits, unlike the images that the model has learned from")
    elif header.values and (header.values[0] < scale[0] or header.values[1] > scale[1]):
        low, high = (f"{value:g}" for value in scale)
        notes.append(f"values beyond {low}..{high}, the range that the model has learned from")
    return {"note": "; ".join(notes)} if notes else {}


def _colourful(image) -> bool:
    if image.mode in ("P", "PA"):
        palette = np.reshape(image.getpalette(), (-1, 3))
        return bool((palette != palette[:, :1]).any())
    return len(image.getbands()) > 2


def _files(count: int) -> str:
    return f"{count} file{'s' if count > 1 else ''}"
