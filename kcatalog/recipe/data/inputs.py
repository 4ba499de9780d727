"""Kinds of model inputs, by the name of the model's Input layer."""

from __future__ import annotations

from dataclasses import dataclass, field

_IMAGE_FILES = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/bmp": ".bmp",
    "image/gif": ".gif",
    "image/tiff": ".tif",
}
_MORE = {".jpg": ".jpeg", ".tif": ".tiff"}  # further suffixes of the same kinds of file
_WAV = {"audio/wav": ".wav", "audio/wave": ".wav", "audio/x-wav": ".wav"}
_CSV = {"text/csv": ".csv"}
_TEXT = {"text/plain": ".txt"}


@dataclass(frozen=True)
class Input:
    """A kind of model input: what the engine needs to know of it beyond shape and type.

    files: content types of the files that it is read from, and the suffix of each.
    image: whether samples are images, which an export can then decode from files.
    pictures: names of pictures that TensorBoard shows of samples, next to the task's.
    characters: whether steps are code points, which pictures then show as characters.
    """

    files: dict[str, str] = field(default_factory=lambda: _IMAGE_FILES | _WAV | _CSV | _TEXT)
    image: bool = False
    pictures: tuple[str, ...] = ()
    characters: bool = False

    @property
    def suffixes(self) -> set[str]:
        """All suffixes of the files, in lower case."""
        found = set(self.files.values())
        return found | {_MORE[suffix] for suffix in found & _MORE.keys()}


INPUTS = {
    "image": Input(_IMAGE_FILES, image=True),
    "waveform": Input(_WAV, pictures=("spectrograms",)),
    "frames": Input(_CSV, pictures=("frames",)),
    "history": Input(_CSV),
    "row": Input(_CSV),
    "characters": Input(_TEXT, characters=True),
    "text": Input(_TEXT),
    "tokens": Input(_TEXT),
}


def kind(input_name: str) -> Input:
    """Return the kind of an input; nothing is known of one that has a name of its own."""
    return INPUTS.get(input_name, Input())
