"""Image files as the pixels that a person sees: turned, laid on white, scaled to 8 bits."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import re
import warnings
from pathlib import Path

import numpy as np

from kcatalog.recipe.data.base import need
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
    `image_headers.ImageDetails`.

    A JPEG that is much larger is decoded at a half, a quarter or an eighth of its size, whichever
    is the smallest with at least twice the pixels wanted along each edge: the sample differs by
    some units from one of the whole, and is there much sooner.
    """
    height, width, channels = shape
    with opened(file, 2 * max(height, width)) as image:  # a square: it may have to be turned
        image = _turned(image)
        if is_deep(image):
            scale = floats if image.mode == "F" else integers
            image = _shallow(numbers_of(image, file), scale)
        elif is_clear(image):
            image = image.convert("RGBA")
            white = pillow().new("RGBA", image.size, "white")
            image = pillow().alpha_composite(white, image)
        image = image.convert("L" if channels == 1 else "RGB").resize((width, height))
        return np.asarray(image, "uint8").reshape(shape)


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


def orientation_of(image) -> int:
    """Return the orientation that the EXIF data say, 1 to 8; 1 where they are damaged."""
    try:
        found = image.getexif().get(TURNED, 1)
    except Exception:  # Pillow computes with what damaged data say
        return 1
    return found if found in range(1, 9) else 1


def _turned(image):
    """Return an image turned and mirrored as its EXIF data say."""
    orientation, how = orientation_of(image), pillow().Transpose
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


def is_deep(image) -> bool:
    """Return whether an image has more than 8 bits a pixel."""
    return image.mode == "F" or image.mode.startswith("I")


def is_clear(image) -> bool:
    """Return whether an image has transparency."""
    has_alpha = image.mode in ("RGBA", "LA", "PA", "RGBa", "La")
    return has_alpha or (not is_deep(image) and "transparency" in image.info)


def numbers_of(image, file: Path) -> np.ndarray:
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
