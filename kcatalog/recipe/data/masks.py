"""Images with a mask each: digits on photographs without a network, or a folder of your own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kcatalog.recipe.data.base import TEST_SEED, Arrays, Data, list_files, need
from kcatalog.recipe.data.files import in_parallel
from kcatalog.recipe.data.images import SUFFIXES, Images, opened
from kcatalog.recipe.terminal.errors import RecipeError

BINARY = ("background", "foreground")
EDGE, ENLARGED = 48, 3  # of a scene of digits: its edge in pixels, and how much a digit grows
CUT = 480  # column of the photographs that parts the ground of training from that of the test


class Masks(Images):
    """Images as uint8 arrays (samples, height, width, channels), and a class for each pixel.

    A folder of your own has two subfolders: `images`, and `masks` with a PNG file of the same name
    for each image, whose pixels hold class numbers from 0 on. A mask of 0 and 255 alone means two
    classes. Names of classes may stand in `classes.txt`, one a line.

    Args:
        default: the set used without `--data`.
        size: edge in pixels to which a folder's images and masks are resized; a multiple of 8.
        channels: 3 (colour) or 1 (grey) for a folder's images.
    """

    wanted = "a folder with the subfolders `images` and `masks`"
    task = "segmentation"

    def __init__(self, default: str = "digit_scenes", size: int = 64, channels: int = 3):
        super().__init__(default, size, channels)

    def sets(self):
        return {"digit_scenes": self._digit_scenes}

    def find(self, folder: Path) -> tuple[list[Path], np.ndarray, tuple[str, ...]]:
        images, masks = pairs(folder)
        y = np.stack(in_parallel(lambda file: read_mask(file, self.size), masks)).astype("int32")
        classes = class_names(folder, y)
        return images, (y > 0).astype("int32") if classes == BINARY else y, classes

    def _digit_scenes(self, seed: int) -> Data:
        """Scenes made of scikit-learn's 1797 digits on its two photographs.

        Each digit is enlarged to 24 x 24 pixels, coloured by chance and laid on a piece of a
        photograph. Its mask is where the digit is at least half as bright as full ink. A fifth of
        the digits is held out, and their ground comes from columns of the photographs that the
        other scenes do not use.
        """
        datasets = need("sklearn.datasets", "scikit-learn")
        digits = datasets.load_digits()
        photographs = [datasets.load_sample_image(f"{n}.jpg") for n in ("china", "flower")]
        order = np.random.default_rng(TEST_SEED).permutation(len(digits.target))
        held = len(order) // 5
        parts = []
        for places, columns in ((order[held:], slice(CUT)), (order[:held], slice(CUT, None))):
            grounds = [photograph[:, columns] for photograph in photographs]
            parts.append(scenes(digits.images[places], grounds))
        return self._data("digit_scenes", *parts, ("ground", "digit"), seed)


def scenes(images: np.ndarray, grounds: list[np.ndarray]) -> Arrays:
    """Draw a scene for each digit, the same ones every time.

    Args:
        images: digits `(samples, 8, 8)`, 0 to 16.
        grounds: photographs to lay them on.

    Returns:
        Scenes `(samples, 48, 48, 3)`, uint8, and their masks `(samples, 48, 48)`, int32: 0 for the
        ground, 1 for the digit.
    """
    image_module = need("PIL.Image", "pillow")
    rng, edge = np.random.default_rng(TEST_SEED), images.shape[1] * ENLARGED
    x = np.empty((len(images), EDGE, EDGE, 3), "uint8")
    y = np.zeros((len(images), EDGE, EDGE), "int32")
    for scene, mask, image in zip(x, y, images, strict=True):
        ground = grounds[rng.integers(len(grounds))]
        top, left = (rng.integers(size - EDGE) for size in ground.shape[:2])
        scene[:] = ground[top : top + EDGE, left : left + EDGE]
        small = image_module.fromarray(np.rint(image * (255 / 16)).astype("uint8"))
        ink = np.asarray(small.resize((edge, edge), image_module.Resampling.BILINEAR)) / 255
        top, left = rng.integers(EDGE - edge + 1, size=2)
        place = np.s_[top : top + edge, left : left + edge]
        cover = rng.uniform(0.6, 1) * ink[..., None]  # how much of the ground the ink hides
        colour = rng.uniform(0, 255, 3)
        scene[place] = np.rint(scene[place] * (1 - cover) + colour * cover)
        mask[place] = ink >= 0.5
    return x, y


def pairs(folder: Path) -> tuple[list[Path], list[Path]]:
    """List a folder's images and the mask of each."""
    images = list_files(folder / "images", SUFFIXES) if folder.is_dir() else []
    masks = {f.stem: f for f in list_files(folder / "masks", (".png",))} if images else {}
    if not images or not masks:
        raise RecipeError(
            "--data must be a folder with the subfolders `images` and `masks`, each mask a PNG "
            f"file of the same name as its image. Received: {folder} with {len(images)} images "
            f"and {len(masks)} masks."
        )
    missing = [f.name for f in images if f.stem not in masks]
    unused = sorted(set(masks) - {f.stem for f in images})
    if missing or unused:
        raise RecipeError(
            f"{folder}: each image must have a mask, and each mask an image. "
            f"{len(missing)} images have none{_first(missing)}, {len(unused)} masks have "
            f"none{_first(unused)}. Add them, or remove the others."
        )
    if len(images) < 5:
        raise RecipeError(
            f"{folder} must have at least 5 images: to train, validate and test. Received: "
            f"{len(images)}."
        )
    return images, [masks[f.stem] for f in images]


def read_mask(file: Path, size: int) -> np.ndarray:
    """Read a mask as class numbers `(size, size)`, by the nearest pixel."""
    image_module = need("PIL.Image", "pillow")
    with opened(file) as mask:
        if mask.mode not in ("L", "P", "1"):
            raise RecipeError(
                f"{file} must hold one class number a pixel (grey or palette). Received: a mask "
                f"with the channels {mask.mode}. Save it as a grey PNG file of class numbers."
            )
        mask = mask.convert("L") if mask.mode == "1" else mask
        return np.asarray(mask.resize((size, size), image_module.Resampling.NEAREST), "uint8")


def class_names(folder: Path, y: np.ndarray) -> tuple[str, ...]:
    """Name the classes of masks, after `classes.txt` if there is one."""
    values = np.unique(y).tolist()
    if set(values) == {0, 255}:
        return BINARY
    file = folder / "classes.txt"
    names = file.read_text(encoding="utf-8").split("\n") if file.exists() else []
    names = [name.strip() for name in names if name.strip()]
    if not names and values[-1] >= 64:  # brightness rather than classes
        raise RecipeError(
            f"{folder}: masks must hold class numbers from 0 on, or 0 and 255 alone. Received: "
            f"the values {', '.join(map(str, values[:8]))}{', ...' if len(values) > 8 else ''}. "
            "Renumber them, or name every class in classes.txt."
        )
    names = names or [f"class {number}" for number in range(values[-1] + 1)]
    if len(names) <= values[-1] or len(names) < 2:
        raise RecipeError(
            f"{folder}: masks must hold numbers below the {len(names)} classes. Received: "
            f"{values[-1]}. Name every class in classes.txt, one a line."
        )
    return tuple(names)


def _first(names: list[str]) -> str:
    return f" ({names[0]} is the first)" if names else ""
