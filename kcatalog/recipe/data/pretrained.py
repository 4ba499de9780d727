"""Images for a model that may begin with a pretrained network, and the options that name it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from kcatalog.recipe.data.base import Data, Source
from kcatalog.recipe.data.info import DataInfo
from kcatalog.recipe.data.option import option, with_options


@with_options
class Pretrained(Source):
    """Another source, with options for a backbone, which `training.backbone.load` reads.

    A backbone of None is a model that is trained from nothing.
    """

    source: Source
    backbone: str | None = option(
        None,
        "Pretrained network: of keras.applications, a file, or a preset of keras-hub.",
        metavar="NAME|FILE.keras|PRESET",
    )
    backbone_weights: str | None = option(
        None,
        "Weights of the backbone NAME. [default: those of ImageNet]",
        metavar="FILE.h5",
    )
    head_epochs: int = option(3, "First epochs, in which the backbone is not trained.", min=0)

    def __post_init__(self) -> None:
        self.default, self.wanted = self.source.default, self.source.wanted
        self.Details, self.options = self.source.Details, {**self.source.options, **self.options}

    def settings(self):
        return {**self.source.settings(), **self._own()}

    def configured(self, settings):
        own = {name: value for name, value in settings.items() if name in self._own()}
        return dataclasses.replace(self, source=self.source.configured(settings), **own)

    def load(self, name_or_path: str | Path | None = None, seed: int = 0) -> Data:
        data = self.source.load(name_or_path, seed)
        return dataclasses.replace(data, settings={**data.settings, **self._own()})

    def sets(self):
        return self.source.sets()

    def kind(self, info: DataInfo):
        return self.source.kind(info)

    def read(self, paths: list[Path], info: DataInfo) -> np.ndarray:
        return self.source.read(paths, info)

    def notes(self, paths: list[Path], info: DataInfo) -> list[dict[Any, Any]]:
        return self.source.notes(paths, info)

    def _own(self) -> dict[Any, Any]:
        return {name: getattr(self, name) for name in type(self).options}
