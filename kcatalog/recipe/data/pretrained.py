"""Images for a model that may begin with a pretrained network, and the options that name it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from kcatalog.recipe.data.base import Data, Source
from kcatalog.recipe.data.info import DataInfo
from kcatalog.recipe.data.option import Option

_OPTIONS = {
    "backbone": Option(
        str, "Pretrained network: one of keras.applications, or a file.", metavar="NAME|FILE.keras"
    ),
    "backbone_weights": Option(
        str, "Weights of the backbone NAME. [default: those of ImageNet]", metavar="FILE.h5"
    ),
    "head_epochs": Option(int, "First epochs, in which the backbone is not trained.", min=0),
}


class Pretrained(Source):
    """Another source, with options for a backbone, which `training.backbone.load` reads.

    Args:
        source: the source of the samples.
        backbone: the name of a model of `keras.applications`, or a `.keras` file; None for a model
            that is trained from nothing.
        backbone_weights: a file with the weights of the model named; by default Keras downloads
            those of ImageNet.
        head_epochs: the first epochs, in which the backbone is not trained.
    """

    def __init__(
        self,
        source: Source,
        backbone: str | None = None,
        backbone_weights: str | None = None,
        head_epochs: int = 3,
    ):
        self.source, self.default = source, source.default
        self.wanted, self.Details = source.wanted, source.Details
        self.backbone, self.backbone_weights = backbone, backbone_weights
        self.head_epochs = head_epochs

    @property
    def options(self):
        return {**self.source.options, **_OPTIONS}

    def settings(self):
        return {**self.source.settings(), **self._own()}

    def configured(self, settings):
        own = {name: value for name, value in settings.items() if name in _OPTIONS}
        return Pretrained(self.source.configured(settings), **{**self._own(), **own})

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
        return {name: getattr(self, name) for name in _OPTIONS}
