"""Reads what Keras 2 has saved, without Keras 2: the config, the weights, the optimizer's state."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kcatalog.migrate.models.error import ModelError

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_LAYERS = ("layers", "_layer_checkpoint_dependencies")  # names of one group, by Keras version


@dataclasses.dataclass(frozen=True)
class Entry:
    """One saved array, such as `dense/kernel`, and its name in the file."""

    name: str
    value: np.ndarray


@dataclasses.dataclass(frozen=True)
class NamedWeights:
    """Weights as `.h5` has them: of each layer of the model a list, with the variables' names."""

    layers: Mapping[str, list[Entry]]


@dataclasses.dataclass(frozen=True)
class PathWeights:
    """Weights as `.keras` has them: by the path of attributes that leads to each, and numbered."""

    arrays: Mapping[str, np.ndarray]

    def under(self, path: str) -> list[Entry]:
        """Return what stands below a path, in the order of its numbers."""
        found = [p for p in self.arrays if p.startswith(path + "/")]
        found.sort(key=lambda p: [int(s) if s.isdigit() else s for s in re.split(r"(\d+)", p)])
        return [Entry(p[len(path) + 1 :], self.arrays[p]) for p in found]


@dataclasses.dataclass(frozen=True)
class OldFile:
    """The content of a file that Keras 2 wrote.

    Attributes:
        config: `class_name` and `config` of the model, None where the file has weights only.
        weights: the arrays of the model.
        training: what `compile` was given, by its argument's name; empty if nothing was saved.
        state: the optimizer's arrays, in their order.
    """

    config: dict | None
    weights: NamedWeights | PathWeights
    training: dict = dataclasses.field(default_factory=dict)
    state: list[Entry] = dataclasses.field(default_factory=list)


def read(file: Path, config: Path | None = None) -> OldFile:
    """Read a model or its weights; `config` is the model's JSON where the file has only weights."""
    if file.is_dir():
        raise ModelError(
            f"{file} is a folder (SavedModel), whose Python side only Keras 2 can read. Load it "
            "there with tf.keras.models.load_model, save it as a .h5 file, and migrate that."
        )
    try:
        with file.open("rb") as stream:
            start = stream.read(8)
    except OSError as e:
        raise ModelError(f"Cannot read {file}: {e.strerror or e}.") from e
    if start.startswith(_SIGNATURE):
        old = _read_h5(file)
    elif zipfile.is_zipfile(file):
        old = _read_keras(file)
    else:
        raise ModelError(
            f"{file} is neither a .h5 nor a .keras file. Load a checkpoint of TensorFlow's format "
            "into the old model, save the weights as .h5, and migrate those."
        )
    if config is None:
        return old
    if old.config is not None:
        raise ModelError(f"{file} holds the whole model: leave out --config.")
    try:
        return dataclasses.replace(old, config=json.loads(config.read_text(encoding="utf-8")))
    except (OSError, ValueError) as e:
        raise ModelError(
            f"Cannot read {config}: {e}. Write it with the old model's to_json()."
        ) from e


def _read_h5(file: Path) -> OldFile:
    import h5py

    with h5py.File(file) as h5:
        _refuse_keras3(file, _text(h5.attrs.get("keras_version")))
        if "layer_names" in h5.attrs:
            return OldFile(None, _named(h5))
        if "model_weights" not in h5:
            weights = _paths(h5)
            if not weights.under("layers"):
                raise ModelError(f"{file} holds no weights that Keras 2 has written.")
            return OldFile(None, weights)
        config = h5.attrs.get("model_config")
        config = None if config is None else json.loads(_text(config))
        training = json.loads(_text(h5.attrs.get("training_config")) or "{}")
        optimizer = training.pop("optimizer_config", None)
        if training or optimizer:
            training["optimizer"] = optimizer
        state = _entries(h5["optimizer_weights"]) if "optimizer_weights" in h5 else []
        return OldFile(config, _named(h5["model_weights"]), training, state)


def _read_keras(file: Path) -> OldFile:
    import h5py

    with zipfile.ZipFile(file) as archive:
        try:
            parts = {n: archive.read(n) for n in ("metadata.json", "config.json")}
            weights = io.BytesIO(archive.read("model.weights.h5"))
        except KeyError as e:
            raise ModelError(f"{file} is no .keras file: {e.args[0]}") from e
    _refuse_keras3(file, json.loads(parts["metadata.json"])["keras_version"])
    config = json.loads(parts["config.json"])
    with h5py.File(weights) as h5:
        arrays = _paths(h5)
    return OldFile(config, arrays, config.get("compile_config") or {}, arrays.under("optimizer"))


def _refuse_keras3(file: Path, version: str) -> None:
    if version.split(".")[0].isdigit() and int(version.split(".")[0]) >= 3:
        raise ModelError(
            f"{file} was written by Keras {version}: load it with keras.saving.load_model."
        )


def _named(group) -> NamedWeights:
    names = [_text(n) for n in _attribute(group, "layer_names")]
    layers = {name: _entries(group[name]) for name in names}
    if "top_level_model_weights" in group and (own := _entries(group["top_level_model_weights"])):
        raise ModelError(
            f"The model has weights outside of its layers ({own[0].name}): rebuild it as a class "
            "of your own."
        )
    return NamedWeights(layers)


def _entries(group) -> list[Entry]:
    names = [_text(n) for n in _attribute(group, "weight_names")]
    return [Entry(re.sub(r":\d+$", "", n), np.asarray(group[n])) for n in names]


def _attribute(group, name):
    """Return a list of names, which Keras splits into several attributes where it is long."""
    if name in group.attrs:
        return list(group.attrs[name])
    parts, i = [], 0
    while f"{name}{i}" in group.attrs:
        parts += list(group.attrs[f"{name}{i}"])
        i += 1
    return parts


def _paths(h5) -> PathWeights:
    import h5py

    arrays = {}

    def add(path, item):
        if isinstance(item, h5py.Dataset):
            parts = ["layers" if p in _LAYERS else p for p in path.replace("\\", "/").split("/")]
            arrays["/".join(parts)] = np.asarray(item)

    h5.visititems(add)
    return PathWeights(arrays)


def _text(value) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")
