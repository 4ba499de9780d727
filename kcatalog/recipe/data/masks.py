"""Images with a mask each: digits on photographs without a network, or a folder of your own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kcatalog.recipe.data import folders, image_headers, pixels, scan
from kcatalog.recipe.data.base import TEST_SEED, Arrays, Data, need
from kcatalog.recipe.data.encoding import read_text
from kcatalog.recipe.data.files import checked
from kcatalog.recipe.data.findings import Finding, listed
from kcatalog.recipe.data.images import Images
from kcatalog.recipe.data.option import with_options
from kcatalog.recipe.terminal.errors import RecipeError

BINARY = ("background", "foreground")
NAMES = "classes.txt"
EDGE, ENLARGED = 48, 3  # of a scene of digits: its edge in pixels, and how much a digit grows
CUT = 480  # column of the photographs that parts the ground of training from that of the test


@with_options
class Masks(Images):
    """Images as uint8 arrays (samples, height, width, channels), and a class for each pixel.

    A folder of your own has two subfolders: `images`, and `masks` with a PNG file of the same name
    for each image, whose pixels hold class numbers from 0 on. A mask of 0 and 255 alone means two
    classes. Names of classes may stand in `classes.txt`, one a line. `size` is a multiple of 8.
    """

    wanted = "a folder with the subfolders `images` and `masks`"
    task = "segmentation"

    default: str = "digit_scenes"

    def sets(self):
        return {"digit_scenes": self._digit_scenes}

    def find(self, folder: Path) -> folders.Folder:
        """Find a folder's images, the mask of each, and the names of the classes."""
        pairs, found = paired(folder)
        shapes = checked(same_shape, pairs)
        y = np.stack(checked(lambda pair: read_mask(pair.mask, self.size), pairs)).astype("int32")
        classes, binary = class_names(folder, y), set(np.unique(y)) == {0, 255}
        y = (y > 0).astype("int32") if binary else y
        parts = {pair.part for pair in pairs}
        given = np.array([pair.part for pair in pairs]) if parts != {""} else None
        notes = [*found, *_described(classes, y, shapes)]
        if binary:
            text = f"pixels of 0 are {classes[0]}, pixels of 255 {classes[1]}"
            notes.append(Finding("masks", text))
        if given is not None:
            notes.append(folders.given_parts(parts))
        return folders.Folder([pair.image for pair in pairs], y, classes, given, tuple(notes))

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


class Pair(NamedTuple):
    """An image, its mask, and the part that the user put them into, "" without a split."""

    image: Path
    mask: Path
    part: str


def paired(path: Path) -> tuple[list[Pair], list[Finding]]:
    """Find a folder's images with the mask of each, and what was left out.

    `images` and `masks` may stand in the folders of a split, or the other way around.
    """
    wanted = "the subfolders `images` and `masks`, each mask a PNG file named like its image"
    found = scan.of_folder(path, pixels.images(), wanted)
    found.unread = [file for file in found.unread if file != path / NAMES]
    images, masks, outside = {}, {}, []
    for file in found.files:
        *inside, _ = (part.lower() for part in file.relative_to(path).parts)
        kinds = [part for part in inside if part in ("images", "masks")]
        key = (*(part for part in inside if part not in kinds), file.stem)
        if len(kinds) != 1 or (kinds == ["masks"] and file.suffix.lower() != ".png"):
            outside.append(str(file.relative_to(path)))
        elif key in (place := images if kinds == ["images"] else masks):
            raise RecipeError(
                f"{path}: files must have different names, without the suffix. Received: "
                f"{place[key].name} and {file.name}. Rename or remove one."
            )
        else:
            place[key] = file
    if not images or not masks:
        there = listed(sorted(entry.name for entry in path.iterdir()))
        raise RecipeError(
            f"--data must be a folder with {wanted}. Received: {path} with {len(images)} images "
            f"and {len(masks)} masks in such subfolders. It has: {there or 'nothing'}."
            f"{_no_png(outside)}"
        )
    missing = [images[key].name for key in images if key not in masks]
    unused = [masks[key].name for key in masks if key not in images]
    if missing or unused:
        raise RecipeError(
            f"{path}: each image must have a mask, and each mask an image. {len(missing)} of "
            f"{len(images)} images have none{_named(missing)}, {len(unused)} of {len(masks)} masks "
            f"have none{_named(unused)}. Add them, or remove the others.{_no_png(outside)}"
        )
    if len(images) < 5:
        raise RecipeError(
            f"{path} must have at least 5 images: to train, validate and test. Received: "
            f"{len(images)}."
        )
    notes = list(found.findings)
    if outside:
        text = f"{len(outside)} images that are no pair: {listed(outside, most=3)}"
        notes.append(Finding("left out", text, warning=True))
    named = folders.parts_of({name for *inside, _ in images for name in inside})
    part_of = {name: part for part, names in named.items() for name in names}

    def part(key: tuple[str, ...]) -> str:
        return next((part_of[name] for name in key[:-1] if name in part_of), "")

    pairs = [Pair(images[key], masks[key], part(key)) for key in images]
    if named and (lost := [pair.image.name for pair in pairs if not pair.part]):
        raise RecipeError(
            f"{path}: each image must be in a part: {', '.join(part_of)}. {len(lost)} are in "
            f"none{_named(lost)}. Move or remove them."
        )
    return pairs, notes


def same_shape(pair: Pair) -> bool:
    """Refuse a mask of another aspect ratio than its image. Return whether the sizes are equal."""
    (width, height), mask = (image_headers.read_header(file).size for file in pair[:2])
    if abs(mask[0] * height / width - mask[1]) > 1 + 0.01 * mask[1]:
        raise RecipeError(
            f"{pair.mask} must have the shape of its image, {width}x{height}. Received: "
            f"{mask[0]}x{mask[1]}. Repair or remove both."
        )
    return (width, height) == mask


def _described(classes: tuple[str, ...], y: np.ndarray, equal: list[bool]) -> Iterator[Finding]:
    shares = np.bincount(y.ravel(), minlength=len(classes)) / y.size
    several = dict(sorted(zip(classes, shares, strict=True), key=lambda each: -each[1]))
    text = listed((f"{name} {share:.1%}" for name, share in several.items() if share), most=8)
    yield Finding("masks", f"shares of the pixels: {text}")
    if absent := [name for name, share in several.items() if not share]:
        yield Finding("masks", f"no pixel is of {listed(absent)}", warning=True)
    if not all(equal):
        text = f"{equal.count(False)} masks of other sizes than their images, of the same shape"
        yield Finding("masks", text)


def read_mask(file: Path, size: int) -> np.ndarray:
    """Read a mask as class numbers `(size, size)`, by the nearest pixel."""
    image_module = need("PIL.Image", "pillow")
    with pixels.opened(file) as mask:
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
    file = folder / NAMES
    names = read_text(file).split("\n") if file.exists() else []
    names = [name.strip() for name in names if name.strip()]
    if set(values) == {0, 255} and len(names) in (0, 2):
        return tuple(names) or BINARY
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


def _no_png(files: list[str]) -> str:
    """Return which masks are no PNG files, and why they are not read."""
    masks = [name for name in files if "masks" in Path(name.lower()).parts]
    if not masks:
        return ""
    return f" Not read{_named(masks)}: masks must be PNG files (JPEG would change class numbers)."


def _named(names: list[str]) -> str:
    return f" ({listed(names, most=3)})" if names else ""
