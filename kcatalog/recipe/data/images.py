"""Images: handwritten digits without a network, well-known sets, or a folder per class."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

import numpy as np

from kcatalog import checks
from kcatalog.recipe.data import folders, image_headers, pixels
from kcatalog.recipe.data.base import Arrays, Data, Source, need, split
from kcatalog.recipe.data.files import Files, Shelf, checked
from kcatalog.recipe.data.info import DataInfo
from kcatalog.recipe.data.option import option, with_options
from kcatalog.recipe.terminal.errors import RecipeError

_DIGITS = tuple("0123456789")
_DOWNLOADED = {
    "mnist": _DIGITS,
    "fashion_mnist": (
        *("T-shirt", "trouser", "pullover", "dress", "coat"),
        *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
    ),
    "cifar10": (
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    ),
}


@with_options
class Images(Source):
    """Images as uint8 arrays (samples, height, width, channels), 0 to 255."""

    wanted = "a folder with one subfolder of images per class"
    task = "classification"
    Details = image_headers.ImageDetails

    default: str = "digits"
    size: int = option(64, "Resize your images to N x N pixels.", min=8, files="image")
    channels: int = option(3, "Colour channels: 1 (grey) or 3.", min=1, max=3, files="image")

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise checks.error(self, "channels", "1 (grey) or 3 (colour)", self.channels)

    def sets(self):
        downloaded = {n: functools.partial(self._downloaded, n) for n in _DOWNLOADED}
        return {"digits": self._digits, **downloaded}

    def from_path(self, path: Path, seed: int) -> Data:
        folder, shape = self.find(path), (self.size, self.size, self.channels)
        try:
            headers = checked(image_headers.read_header, folder.files)
        except RecipeError:  # name the files with sound headers and broken pixels, too
            checked(functools.partial(pixels.read_image, shape=shape), folder.files)
            raise
        details = image_headers.details(headers)
        how = {"shape": shape, **dataclasses.asdict(details)}
        x = Files(Shelf(folder.files, pixels.read_image, shape, "uint8", how, pixels.DECODING))
        return Data(
            path.resolve().name,
            self.task,
            "image",
            **folder.split(x, seed, _validation(len(folder.files))),
            classes=folder.classes,
            picture=picture,
            details=details,
            findings=(*folder.findings, *image_headers.findings(headers, shape, details)),
        )

    def find(self, folder: Path) -> folders.Folder:
        """Find a folder's images, what they are labelled with, and the names of the classes."""
        return folders.by_class(folder, pixels.images())

    def kind(self, info: DataInfo):
        return pixels.images()

    def read(self, paths: list[Path], info: DataInfo) -> np.ndarray:
        how = dataclasses.asdict(_details(info))
        return np.stack([pixels.read_image(Path(path), info.input_shape, **how) for path in paths])

    def notes(self, paths: list[Path], info: DataInfo) -> list[dict[Any, Any]]:
        """Note of which files less is read than they hold."""
        return [
            image_headers.note(image_headers.read_header(Path(path)), _details(info))
            for path in paths
        ]

    def _digits(self, seed: int) -> Data:
        """1797 digits of 8 x 8 pixels that ship with scikit-learn."""
        digits = need("sklearn.datasets", "scikit-learn").load_digits()
        x = np.rint(digits.images[..., None] * (255 / 16)).astype("uint8")
        return self._data("digits", (x, digits.target.astype("int32")), None, _DIGITS, seed)

    def _downloaded(self, name: str, seed: int) -> Data:
        """Load a set of `keras.datasets`, with its official test part."""
        import keras

        try:
            rest, test = getattr(keras.datasets, name).load_data()
        except Exception as e:  # Keras raises plain Exception where a download fails
            raise RecipeError(
                f"{name} could not be downloaded ({e}). Check the network, or leave out --data "
                f"to use {self.default!r}, which needs none."
            ) from e
        return self._data(name, _tidy(*rest), _tidy(*test), _DOWNLOADED[name], seed)

    def _data(
        self, name: str, samples: Arrays, test: Arrays | None, classes: tuple[Any, ...], seed: int
    ) -> Data:
        parts = split(*samples, seed, test, _validation(len(samples[0])))
        return Data(name, self.task, "image", **parts, classes=classes, picture=picture)


def _details(info: DataInfo) -> image_headers.ImageDetails:
    """Return the details of images, all of which a subclass or an older record may lack."""
    names = (field.name for field in dataclasses.fields(image_headers.ImageDetails))
    return image_headers.ImageDetails(**{name: getattr(info.details, name, None) for name in names})


def _validation(samples: int) -> float:
    """Return the share that validates: few samples judge poorly, so more of them do."""
    return 0.2 if samples < 12_500 else 0.1


def picture(x: np.ndarray) -> np.ndarray:
    """Return a sample as an (H, W, 3) image, small ones enlarged."""
    scale = max(1, 64 // x.shape[0])
    return np.repeat(np.repeat(np.broadcast_to(x, (*x.shape[:2], 3)), scale, 0), scale, 1)


def _tidy(x: np.ndarray, y: np.ndarray) -> Arrays:
    """Channels last, labels flat."""
    return x if x.ndim == 4 else x[..., None], y.reshape(-1).astype("int32")
