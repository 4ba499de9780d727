"""Rebuilds a model of Keras 2 in Keras 3, from file to file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import keras
import numpy as np

from kcatalog import atomic
from kcatalog.migrate.models.assign import assign
from kcatalog.migrate.models.error import ModelError
from kcatalog.migrate.models.old_file import read
from kcatalog.migrate.models.old_objects import OldObjects
from kcatalog.migrate.models.rebuild import part_of, rebuild
from kcatalog.migrate.models.training import compile_as


@dataclasses.dataclass(frozen=True)
class Report:
    """The outcome of a migration.

    Attributes:
        model: the new model.
        notes: what is not as it was.
        difference: the largest between predictions and what was expected, None without samples.
        differs: the difference exceeds the tolerance; no file was written.
    """

    model: keras.Model
    notes: list[str]
    difference: float | None = None
    differs: bool = False


def migrate_model(
    old: Path,
    new: Path,
    config: Path | None = None,
    into: Path | None = None,
    samples: Path | None = None,
    expected: Path | None = None,
    tolerance: float = 1e-4,
) -> Report:
    """Rebuild a model, compare its predictions where samples are given, and write it.

    Args:
        old: A `.h5` or `.keras` file of Keras 2, a whole model or weights.
        new: The `.keras` file to write.
        config: The old model's JSON, where `old` holds weights only.
        into: A model of Keras 3 that is to receive the weights.
        samples: Inputs in a `.npy` file, or several in a `.npz` file, by their names or in order.
        expected: The old model's predictions for them, likewise.
        tolerance: The largest difference of predictions with which the model is written.
    """
    _check_options(new, config, into, samples, expected)
    file, objects = read(old, config), OldObjects([])
    if into is not None:
        part = part_of(_loaded(into))
        if file.training:
            objects.note("The model of --into keeps its own optimizer, loss and metrics.")
    elif file.config is None:
        raise ModelError(
            f"{old} holds weights only. Name the old model's JSON by --config, or a new model that "
            "is to have the weights by --into."
        )
    else:
        part = rebuild(file.config, objects)
    links = assign(part, file.weights)
    model = part.layer
    if into is None:
        compile_as(model, file, links, objects)
    difference = None
    if samples is not None:
        difference = _difference(model, samples, expected)
        if not difference <= tolerance:
            return Report(model, objects.notes, difference, differs=True)
    with atomic.atomic_write(new) as beside:
        model.save(beside)
        keras.saving.load_model(beside, compile=False)  # what cannot be loaded is not kept
    return Report(model, objects.notes, difference)


def _check_options(new, config, into, samples, expected) -> None:
    if new.suffix != ".keras":
        raise ModelError(f"The new file must end in .keras. Received: {new}")
    if config is not None and into is not None:
        raise ModelError("Give --config or --into, not both.")
    if (samples is None) != (expected is None):
        raise ModelError("Give --samples and --expected together.")


def _loaded(into: Path) -> keras.Model:
    try:
        return keras.saving.load_model(into)
    except (OSError, ValueError, TypeError) as e:
        raise ModelError(f"Cannot load {into}: {e}") from e


def _difference(model, samples: Path, expected: Path) -> float:
    """Return the largest difference between predictions and what was expected."""
    inputs, outputs = _arrays(samples), _arrays(expected)
    names = [x.name for x in model.inputs]
    if len(inputs) != len(names):
        raise ModelError(f"{samples} holds {len(inputs)} arrays; the model has inputs {names}.")
    x = [inputs[n] for n in names] if set(inputs) == set(names) else list(inputs.values())
    for name, array, tensor in zip(names, x, model.inputs, strict=True):
        if len(array.shape) != len(tensor.shape):
            raise ModelError(f"Samples of {name} must have {len(tensor.shape)} axes.")
    y = model(x if len(x) > 1 else x[0], training=False)
    y = [keras.ops.convert_to_numpy(a) for a in keras.tree.flatten(y)]
    if len(y) != len(outputs):
        raise ModelError(f"{expected} holds {len(outputs)} arrays; the model has {len(y)} outputs.")
    largest = 0.0
    for a, b in zip(y, outputs.values(), strict=True):
        if a.ndim == b.ndim + 1 and np.issubdtype(b.dtype, np.integer):
            a = np.argmax(a, axis=-1)  # tags of a CRF, one-hot here
        if a.shape != b.shape:
            raise ModelError(f"Predictions have the shape {a.shape}; expected is {b.shape}.")
        gap = np.abs(a.astype("float64") - b)
        largest = max(largest, float(np.max(gap, initial=0.0)))
    return largest


def _arrays(file: Path) -> dict[str, np.ndarray]:
    try:
        found = np.load(file, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return {"": found}
        with found:
            return dict(found)
    except (OSError, ValueError) as e:
        raise ModelError(f"Cannot read {file}: {e}") from e
