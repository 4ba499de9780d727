"""Images: handwritten digits without a network, well-known sets, or a folder per class."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path

import numpy as np

from kcatalog import checks
from kcatalog.recipe.data.base import Arrays, Data, Source, files_by_class, need, split
from kcatalog.recipe.data.files import Files, Shelf, in_parallel
from kcatalog.recipe.data.info import DataInfo
from kcatalog.recipe.data.option import Option
from kcatalog.recipe.terminal.errors import RecipeError

DECODING = 2  # of `read_image`, counted up when its pixels change
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")

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


class Images(Source):
    """Images as uint8 arrays (samples, height, width, channels), 0 to 255.

    Args:
        default: the set used without `--data`.
        size: edge in pixels to which a folder's images are resized.
        channels: 3 (colour) or 1 (grey) for a folder's images.
    """

    wanted = "a folder with one subfolder of images per class"
    task = "classification"
    options = {
        "size": Option(int, "Edge in pixels of your images.", min=8, files="image"),
        "channels": Option(int, "1 (grey) or 3 (colour).", min=1, max=3, files="image"),
    }

    def __init__(self, default: str = "digits", size: int = 64, channels: int = 3):
        if channels not in (1, 3):
            raise checks.error(self, "channels", "1 (grey) or 3 (colour)", channels)
        self.default, self.size, self.channels = default, size, channels

    def sets(self):
        downloaded = {n: functools.partial(self._downloaded, n) for n in _DOWNLOADED}
        return {"digits": self._digits, **downloaded}

    def from_path(self, path: Path, seed: int) -> Data:
        files, y, classes = self.find(path)
        in_parallel(check_image, files)
        shape = (self.size, self.size, self.channels)
        x = Files(Shelf(files, read_image, shape, "uint8", {"shape": shape}, DECODING))
        return self._data(path.resolve().name, (x, y), None, classes, seed)

    def find(self, folder: Path) -> tuple[list[Path], np.ndarray, tuple[str, ...]]:
        """Find a folder's images, what they are labelled with, and the names of the classes."""
        return files_by_class(folder, SUFFIXES)

    def read(self, paths: list[Path], info: DataInfo) -> np.ndarray:
        return np.stack([read_image(Path(path), info.input_shape) for path in paths])

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
        self, name: str, samples: Arrays, test: Arrays | None, classes: tuple, seed: int
    ) -> Data:
        few = len(samples[0]) < 12_500  # few judge poorly: a larger part of them validates
        parts = split(*samples, seed, test, validation=0.2 if few else 0.1)
        return Data(name, self.task, "image", **parts, classes=classes, picture=picture)


def read_image(file: Path, shape: tuple[int, int, int]) -> np.ndarray:
    """Read a file as a uint8 array of `shape` (height, width, channels).

    A JPEG that is much larger is decoded at a half, a quarter or an eighth of its size, whichever
    is the smallest with at least twice the pixels wanted along each edge: the sample differs by
    some units from one of the whole, and is there much sooner.
    """
    image_module = need("PIL.Image", "pillow")
    ops = need("PIL.ImageOps", "pillow")
    height, width, channels = shape
    with opened(file) as image:
        image.draft(None, [2 * max(height, width)] * 2)  # a square: it may have to be turned
        image = ops.exif_transpose(image)
        if image.mode.startswith("I"):  # 16 bits a pixel; conversion would clip them
            image = image_module.fromarray((np.asarray(image) // 256).astype("uint8"))
        image = image.convert("L" if channels == 1 else "RGB").resize((width, height))
        return np.asarray(image, "uint8").reshape(shape)


def check_image(file: Path) -> None:
    """Read an image's header alone, to see that Pillow can read the file."""
    with opened(file):
        pass


@contextlib.contextmanager
def opened(file: Path):
    """Open a file as Pillow's image; raise one sentence if that fails."""
    image_module = need("PIL.Image", "pillow")
    try:
        with image_module.open(file) as image:
            yield image
    except (OSError, ValueError, SyntaxError, image_module.DecompressionBombError) as e:
        raise RecipeError(
            f"{file} must be an image that Pillow can read. Received: {e}. Repair or remove it."
        ) from e


def picture(x: np.ndarray) -> np.ndarray:
    """Return a sample as an (H, W, 3) image, small ones enlarged."""
    scale = max(1, 64 // x.shape[0])
    return np.repeat(np.repeat(np.broadcast_to(x, (*x.shape[:2], 3)), scale, 0), scale, 1)


def _tidy(x: np.ndarray, y: np.ndarray) -> Arrays:
    """Channels last, labels flat."""
    return x if x.ndim == 4 else x[..., None], y.reshape(-1).astype("int32")
