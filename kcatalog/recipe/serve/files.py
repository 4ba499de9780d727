"""A file sent as a request's body, read by the recipe's own source as `predict` reads it."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

from kcatalog.recipe.data.base import need
from kcatalog.recipe.serve.answers import RequestError
from kcatalog.recipe.serve.limits import Limits
from kcatalog.recipe.terminal.errors import RecipeError

SUFFIXES = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "audio/wav": ".wav",
    "audio/wave": ".wav",
    "audio/x-wav": ".wav",
    "text/csv": ".csv",
    "text/plain": ".txt",
}
_OF_INPUT = {
    "image": ("image/png", "image/jpeg"),
    "waveform": ("audio/wav", "audio/wave", "audio/x-wav"),
    "frames": ("text/csv",),
    "history": ("text/csv",),
    "characters": ("text/plain",),
}


def accepted(input_name: str) -> tuple[str, ...]:
    """The content types of files from which an input can be read."""
    return _OF_INPUT.get(input_name, tuple(SUFFIXES))


def read(body: bytes, content_type: str, exported, limits: Limits):
    """What the recipe's source makes of the file, or a refusal without a path of this machine."""
    if not body:
        raise RequestError(400, "The body must be a file's content. Received: nothing.")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"body{SUFFIXES[content_type]}"
        file.write_bytes(body)
        if content_type.startswith("image/"):
            _look_at_image(file, content_type, limits)
        try:
            return exported.read([file])
        except RecipeError as e:
            raise RequestError(400, str(e).replace(f"{folder}/", "")) from e
        except Exception as e:  # whatever a reader raises, the file is at fault
            raise RequestError(400, f"The body could not be read as {content_type}.") from e


def _look_at_image(file: Path, content_type: str, limits: Limits) -> None:
    """An image of the type it claims to be, and not too large once unpacked."""
    kind, pillow = content_type.removeprefix("image/").upper(), need("PIL.Image", "pillow")
    try:
        with pillow.open(file, formats=[kind]) as image:
            pixels = image.width * image.height
    except pillow.DecompressionBombError:
        pixels = math.inf
    except Exception as e:  # broken files raise almost anything
        raise RequestError(400, f"The body must be an image of type {content_type}.") from e
    if pixels > limits.pixels:
        raise RequestError(413, f"The image must have {limits.pixels} pixels at most.")
