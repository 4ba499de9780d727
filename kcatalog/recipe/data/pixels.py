"""Image files as the pixels that a person sees: turned, laid on white, scaled to 8 bits."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import functools
import importlib.util
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kcatalog.recipe.data.base import need
from kcatalog.recipe.data.findings import Finding
from kcatalog.recipe.data.info import Details
from kcatalog.recipe.data.scan import Kind
from kcatalog.recipe.terminal.errors import RecipeError

DECODING = 3  # of `read_image`, counted up when its pixels change
MOST_PIXELS = 178_956_970  # decoded at once; Pillow's own limit
SHRUNK = 4  # times as many pixels a JPEG may have, which is shrunk while it is decoded
SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".gif", ".webp", ".tif", ".tiff")
FURTHER = (".avif", ".heic", ".heif", ".jp2", ".ppm", ".pgm", ".tga")  # not in every Pillow
TURNED = 0x0112  # the EXIF tag of the orientation
OTHERS = (
    *(".svg", ".psd", ".pdf", ".eps", ".ai", ".jxl", ".exr", ".hdr", ".ico"),
    *(".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2"),
)
HEIF = "Read them with: pip install pillow-heif"
CONVERT = (
    "Convert them with ImageMagick: find {folder} -iname '*{suffix}' -exec magick {{}} {{}}.png \\;"
)
BEGINS = re.compile(
    rb"\x89PNG|\xff\xd8\xff|GIF8|BM.{4}\0\0\0\0|RIFF.{4}WEBP|II\*\0|MM\0\*", re.DOTALL
)
_NO_IMAGE = {  # what files with an image's name often are: how they begin, and what to do
    re.compile(rb".{4}ftyp(heic|heix|mif1|msf1|hevc)", re.DOTALL): (
        "a HEIC photograph. Read it with: pip install pillow-heif"
    ),
    re.compile(rb"\s*<(!doctype html|html)", re.IGNORECASE): "a web page. Download it again",
    re.compile(rb"version https://git-lfs"): "a pointer of Git LFS. Run: git lfs pull",
}

Range = tuple[float, float]


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


@functools.cache
def pillow():
    """Return Pillow's module of images, with HEIC where pillow-heif is installed."""
    image_module = need("PIL.Image", "pillow")
    image_module.MAX_IMAGE_PIXELS = None  # `opened` has a limit that large JPEG files may exceed
    with contextlib.suppress(ImportError):
        importlib.import_module("pillow_heif").register_heif_opener()
    return image_module


@functools.cache
def images() -> Kind:
    """Return the kind of image files, with the formats that Pillow reads as it is installed."""
    known = pillow().registered_extensions()
    suffixes = (*SUFFIXES, *(suffix for suffix in FURTHER if suffix in known))
    others = {s: HEIF if s in (".heic", ".heif") else CONVERT for s in (*FURTHER, *OTHERS)}
    return Kind("images", suffixes, BEGINS, {s: others[s] for s in others if s not in suffixes})


def read_image(
    file: Path,
    shape: tuple[int, int, int],
    integers: Range | None = None,
    floats: Range | None = None,
) -> np.ndarray:
    """Read a file as a uint8 array of `shape` (height, width, channels).

    It is turned as its EXIF data say, laid on white where it is transparent, and stretched to
    `shape`. Of several frames it is the first. Pixels of more than 8 bits are scaled by
    `ImageDetails`.

    A JPEG that is much larger is decoded at a half, a quarter or an eighth of its size, whichever
    is the smallest with at least twice the pixels wanted along each edge: the sample differs by
    some units from one of the whole, and is there much sooner.
    """
    height, width, channels = shape
    with opened(file, 2 * max(height, width)) as image:  # a square: it may have to be turned
        image = _turned(image)
        if _deep(image):
            scale = floats if image.mode == "F" else integers
            image = _shallow(_numbers(image, file), scale)
        elif _clear(image):
            image = image.convert("RGBA")
            white = pillow().new("RGBA", image.size, "white")
            image = pillow().alpha_composite(white, image)
        image = image.convert("L" if channels == 1 else "RGB").resize((width, height))
        return np.asarray(image, "uint8").reshape(shape)


def read_header(file: Path) -> Header:
    """Read what an image's header says; decode those with more than 8 bits a pixel."""
    with opened(file) as image:
        whole = image.format == "PNG" and "exif" not in image.info  # Pillow would look to its end
        orientation, values = 1 if whole else _orientation(image), None
        if _deep(image):
            pixels = _numbers(image, file)
            values = float(pixels.min()), float(pixels.max())
        return Header(
            image.size[::-1] if orientation >= 5 else image.size,
            image.mode,
            _colourful(image),
            _clear(image),
            orientation > 1,
            # the further frames of an MPO file are other views of a phone's photograph
            getattr(image, "is_animated", False) and image.format != "MPO",
            not _deep(image) and ";16" in str(image.tile),
            values,
        )


def details(headers: list[Header]) -> ImageDetails:
    """Return the ranges that all files are scaled by."""
    deep = {"integers": [], "floats": []}
    for header in headers:
        if header.values:
            deep["floats" if header.mode == "F" else "integers"] += header.values
    return ImageDetails(**{name: full_range(v) for name, v in deep.items() if v})


def full_range(values) -> Range:
    """Return the range that pixels were meant to have, by what they hold.

    Without negative values it starts at 0 and ends at the highest value of that many bits, 8 at
    least; or at 1 or a smaller power of 2, where no value is higher.

    >>> full_range([3, 3900]), full_range([0.0, 0.7]), full_range([-1000, 2000])
    ((0.0, 4095.0), (0.0, 1.0), (-1000.0, 2000.0))
    """
    low, high = float(np.min(values)), float(np.max(values))
    if low < 0:
        return low, max(high, 0.0)
    if 0 < high <= 1:
        return 0.0, float(2.0 ** np.ceil(np.log2(high)))
    return 0.0, float(2 ** max(8, int(np.ceil(high)).bit_length()) - 1)


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


@contextlib.contextmanager
def opened(file: Path, edge: int | None = None):
    """Open a file as Pillow's image; raise one sentence if that fails.

    Args:
        file: the file.
        edge: pixels along an edge that are enough; a JPEG may be decoded at less than its size.
    """
    # of damaged tags, which say nothing of the pixels; for good, as threads share these filters
    warnings.filterwarnings("ignore", module="PIL")
    try:
        with pillow().open(file) as image:
            large = image.size  # before it is shrunk
            if edge:
                image.draft(None, (edge, edge))
            most = MOST_PIXELS * (SHRUNK if image.format in ("JPEG", "MPO") else 1)
            if large[0] * large[1] > most:
                raise RecipeError(
                    f"{file} must have at most {most // 10**6} megapixels. "
                    f"Received: {large[0]}x{large[1]}. Save a smaller copy in its place."
                )
            yield image
    except (OSError, ValueError, SyntaxError) as e:
        raise RecipeError(
            f"{file} must be an image that Pillow can read. Received: "
            f"{_content(file) or f'{e}. Repair or remove it'}."
        ) from e


def _content(file: Path) -> str:
    """Return what a file is instead of an image, and what to do, where that can be told."""
    try:
        with file.open("rb") as stream:
            begin = stream.read(64)
    except OSError:
        return ""
    return next((text for begins, text in _NO_IMAGE.items() if begins.match(begin)), "")


def _orientation(image) -> int:
    """Return the orientation that the EXIF data say, 1 to 8; 1 where they are damaged."""
    try:
        found = image.getexif().get(TURNED, 1)
    except Exception:  # Pillow computes with what damaged data say
        return 1
    return found if found in range(1, 9) else 1


def _turned(image):
    """Return an image turned and mirrored as its EXIF data say."""
    orientation, how = _orientation(image), pillow().Transpose
    steps = {
        2: how.FLIP_LEFT_RIGHT,
        3: how.ROTATE_180,
        4: how.FLIP_TOP_BOTTOM,
        5: how.TRANSPOSE,
        6: how.ROTATE_270,
        7: how.TRANSVERSE,
        8: how.ROTATE_90,
    }
    return image.transpose(steps[orientation]) if orientation > 1 else image


def _deep(image) -> bool:
    return image.mode == "F" or image.mode.startswith("I")


def _colourful(image) -> bool:
    if image.mode in ("P", "PA"):
        palette = np.reshape(image.getpalette(), (-1, 3))
        return bool((palette != palette[:, :1]).any())
    return len(image.getbands()) > 2


def _clear(image) -> bool:
    has_alpha = image.mode in ("RGBA", "LA", "PA", "RGBa", "La")
    return has_alpha or (not _deep(image) and "transparency" in image.info)


def _numbers(image, file: Path) -> np.ndarray:
    """Return the pixels of an image of more than 8 bits."""
    values = np.asarray(image).astype("float64")
    if not np.isfinite(values).all():
        raise RecipeError(
            f"{file} must hold finite pixels. Received: NaN or infinity. Repair or remove it."
        )
    return values


def _shallow(values: np.ndarray, scale: Range | None):
    """Return pixels as an image of 8 bits, scaled by this range or their own."""
    low, high = scale or full_range([values.min(), values.max()])
    values = np.clip((values - low) * (255 / max(high - low, 1e-12)), 0, 255)
    return pillow().fromarray(np.rint(values).astype("uint8"))


def _files(count: int) -> str:
    return f"{count} file{'s' if count > 1 else ''}"
