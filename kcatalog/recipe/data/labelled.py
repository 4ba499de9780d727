"""Anything with labels, for an embedding: samples of one class belong together."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from kcatalog.recipe.data import pixels, scan
from kcatalog.recipe.data.base import Data, Source
from kcatalog.recipe.data.image_headers import ImageDetails
from kcatalog.recipe.data.images import Images
from kcatalog.recipe.data.info import DataInfo
from kcatalog.recipe.data.speech import SOUND, Speech, SpeechDetails
from kcatalog.recipe.terminal.errors import RecipeError


@dataclasses.dataclass(frozen=True)
class LabelledDetails(SpeechDetails, ImageDetails):
    """Facts about sound or images."""


@dataclasses.dataclass(eq=False)
class Labelled(Source):
    """Images or speech, whatever their own sources know, with an embedding as the task.

    A folder that has more files of sound than images is read as speech.
    """

    wanted = "a folder with one subfolder of images or WAV files per class"
    Details = LabelledDetails

    images: Images
    speech: Speech
    default: str = "digits"

    @property
    def options(self):
        return {**self.images.options, **self.speech.options}

    def settings(self):
        return {**self.images.settings(), **self.speech.settings()}

    def configured(self, settings):
        images, speech = self.images.configured(settings), self.speech.configured(settings)
        return Labelled(images, speech, self.default)

    def sets(self):
        known = {**self.images.sets(), **self.speech.sets()}
        known["vowels"] = known["japanese_vowels"]
        return {
            name: lambda seed, load=load: _embedding(load(seed)) for name, load in known.items()
        }

    def from_path(self, path: Path, seed: int) -> Data:
        sound = path.is_dir() and scan.count(path, SOUND) > scan.count(path, pixels.images())
        return _embedding((self.speech if sound else self.images).from_path(path, seed))

    def kind(self, info: DataInfo):
        return self._source(info).kind(info)

    def read(self, paths: list[Path], info: DataInfo) -> np.ndarray:
        return self._source(info).read(paths, info)

    def notes(self, paths: list[Path], info: DataInfo) -> list[dict[Any, Any]]:
        return self._source(info).notes(paths, info)

    def _source(self, info: DataInfo) -> Source:
        return {"image": self.images}.get(info.input_name, self.speech)


def _embedding(data: Data) -> Data:
    counts = np.bincount(data.train[1], minlength=len(data.classes))
    if counts.min() < 2:
        name = data.classes[int(counts.argmin())]
        raise RecipeError(
            f"Class {name!r} in {data.name} must have at least 2 samples to train with, next to "
            f"those for validation and test. Received: {counts.min()}. Add some, or remove it."
        )
    return dataclasses.replace(data, task="embedding")
