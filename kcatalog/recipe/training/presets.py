"""Presets of keras-hub as backbones: the network, and the preprocessing of its image converter."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
from keras import layers

from kcatalog.recipe.terminal.errors import RecipeError

NEEDED = (
    "Presets need keras-hub, which is not installed. Install it with: pip install 'kcatalog[hub]'"
)


def is_place(name: str) -> bool:
    """Return whether a name is a folder, or an address such as `hf://user/preset`."""
    return "://" in name or Path(name).expanduser().is_dir()


def alike(name: str) -> list[str] | None:
    """Return the presets' names most like a name, or None if keras-hub is not installed."""
    hub = _keras_hub()
    return hub and difflib.get_close_matches(name, hub.models.Backbone.presets)


def load(name: str, resize: bool) -> tuple[keras.Model, Callable[..., Any]]:
    """Load a preset's network, and return its preprocessing of images, 0 to 255, too.

    Args:
        name: a preset's name, folder or address.
        resize: whether preprocessing resizes images to the size that the image converter states.

    Raises:
        RecipeError: keras-hub is not installed, or there is no such preset of images.
    """
    hub = _keras_hub()
    if hub is None:
        raise RecipeError(f"--backbone {name} is a preset. {NEEDED}")
    place = name if "://" in name else str(Path(name).expanduser())
    try:  # the converter first: it is small, and a network of texts has none
        converter = hub.layers.ImageConverter.from_preset(place)
        network = hub.models.Backbone.from_preset(place)
    except Exception as e:  # each place has errors of its own
        reason = textwrap.shorten(str(e).partition("\n")[0], 150, placeholder=" ...").rstrip(".")
        raise RecipeError(
            f"--backbone {name} cannot be loaded: {reason}. {_advice(name, reason)}"
        ) from e
    resizing = converter.resizing if resize and converter.image_size else layers.Identity()
    scale, offset = converter.scale, converter.offset
    scaling = layers.Rescaling(1.0 if scale is None else scale, 0.0 if offset is None else offset)
    return network, lambda images: scaling(resizing(images))


def _advice(name: str, reason: str) -> str:
    """Return what to do where loading failed for this reason."""
    if "image_converter.json" in reason:
        return (
            "Add what prepares its images, such as "
            "keras_hub.layers.ImageConverter(scale=1 / 255).save_to_preset(folder)."
        )
    if Path(name).expanduser().is_dir():
        return "Give a folder that save_to_preset of a backbone of images wrote."
    return (
        "Where there is no network, give a folder: keras_hub.models.ImageClassifier.from_preset"
        f"({name!r}, num_classes=2).save_to_preset(folder) writes it where there is one."
    )


def _keras_hub() -> Any:
    """Import keras-hub, or return None if it is not installed."""
    try:
        import keras_hub
    except ModuleNotFoundError as e:
        if e.name == "keras_hub":
            return None
        raise RecipeError(f"keras-hub cannot be imported: {e}.") from e
    return keras_hub
