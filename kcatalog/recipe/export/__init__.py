"""Export to `saved_models/<recipe>/<version>/`, complete and checked, or not at all."""

from __future__ import annotations

import contextlib
import functools
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from kcatalog.recipe.data import Data, DataInfo
from kcatalog.recipe.export import (
    converted,
    reduced,
    signatures,
    tf_serving,
    variants,
)
from kcatalog.recipe.export.numeric import Original
from kcatalog.recipe.export.portable import portable
from kcatalog.recipe.export.runtimes import CheckFailed, Runtimes
from kcatalog.recipe.export.stepwise import Refused, Stepwise
from kcatalog.recipe.export.variant_check import VariantCheck
from kcatalog.recipe.export.versions import keep_newest, newest, of, put_in_place
from kcatalog.recipe.files import disk
from kcatalog.recipe.files.rundir import write_json
from kcatalog.recipe.tasks import Task
from kcatalog.recipe.terminal.errors import RecipeError

__all__ = ["Job", "export", "keep_newest", "newest", "tolerance"]

# Largest difference between exported and live outputs, by precision. GPUs and TPUs multiply
# float32 with fewer bits than a CPU.
TOLERANCE = {"float32": 1e-4, "mixed_float16": 1e-2, "mixed_bfloat16": 1e-1}
TOLERANCE_OFF_CPU = 1e-2
READ = (8, 48)  # texts and characters that a model reads in pieces to check its state


@dataclass(frozen=True)
class Job:
    """Arguments of an export.

    Args:
        recipe: the name of the folder of versions.
        model: the trained model's file.
        samples: an .npz file with `request`, and the live model's outputs for it by name.
        manifest: entries of `manifest.json`; `tolerance` and `data` are used here.
        task: the model's task.
        data: the recipe's data, on which variants are scored.
        variants: names in `variants.VARIANTS`.
    """

    recipe: str
    model: Path
    samples: Path
    manifest: dict
    task: Task
    data: Data | None = None
    variants: tuple[str, ...] = ()

    @property
    def info(self) -> DataInfo:
        """The manifest's facts about the data."""
        return DataInfo.from_record(self.manifest["data"])


def tolerance(precision: str, device: str) -> float:
    """Return the largest difference between exported and live outputs that passes the check.

    >>> tolerance("float32", "CPU"), tolerance("float32", "GPU")
    (0.0001, 0.01)
    """
    on_cpu = device.endswith(("CPU", "CPUs"))
    return max(TOLERANCE[precision], 0.0 if on_cpu else TOLERANCE_OFF_CPU)


def export(job: Job) -> Path:
    """Write and check an export, then rename it into place. Returns the version's folder."""
    import tensorflow as tf

    versions = of(job.recipe)
    try:
        versions.mkdir(parents=True, exist_ok=True)
        with (
            Runtimes() as runtimes,
            disk.workspace(versions) as unfinished,
            tf.device("CPU:0"),
        ):
            runtimes.start("tensorflow")
            folder = unfinished / "model"
            facts = _write(job, folder, runtimes)
            write_json(folder / "manifest.json", {**job.manifest, **facts})
            tf_serving.write_config(versions, job.recipe)
            return put_in_place(folder, versions)
    except Exception as e:  # Python, TensorFlow and other processes report a full disk differently
        if reason := disk.disk_error(e):
            raise RecipeError(f"Nothing was exported to {versions}. {reason}.") from e
        raise


def _write(job: Job, folder: Path, runtimes: Runtimes) -> dict:
    """Write an export and all of its variants. Returns its entries for the manifest."""
    info, model = job.info, portable(job.model)
    with np.load(job.samples) as file:
        requests = file["request"]
    stepwise, why_not = _stepwise(model, requests, job)
    write = functools.partial(
        signatures.write, model, job.task, info, stepwise=stepwise, dtype=_dtype(requests)
    )
    write(folder)
    states = stepwise and {name: list(shape) for name, shape in stepwise.states.items()}
    found = _checked(runtimes, folder, job)
    del found["inputs"], found["outputs"]  # of the default signature, which is among all
    found |= _warm_up(runtimes, folder, job.recipe, found["signatures"], requests, info)
    if why_not:
        found["no_step"] = why_not
    found["size_bytes"] = variants.size(folder)
    if job.variants:
        makers = _makers(job, write, model, stepwise is not None)
        check = VariantCheck(job.data, job.samples, states)
        found["plain"] = check.row(runtimes, "tensorflow", folder)
        found["variants"] = variants.write(
            list(job.variants), makers, folder / "variants", check, runtimes
        )
    return {**found, "versions": _versions()}


def _stepwise(model, requests, job: Job) -> tuple[Stepwise | None, str | None]:
    """Return a text model with its states as inputs and outputs, or the reason for having none."""
    if not job.task.generates:
        return None, None
    texts, length = READ
    shortest = min(length, *map(len, requests[:texts]))
    codes = np.array([[ord(c) for c in text[:shortest]] for text in requests[:texts]], "int32")
    try:
        stepwise = Stepwise(model)
        stepwise.check(model, codes, job.manifest["tolerance"])
    except Refused as e:
        return None, str(e)
    return stepwise, None


def _dtype(requests: np.ndarray) -> str | None:
    """Return the type of the numbers in requests; None for texts.

    >>> _dtype(np.zeros(1, "uint8")), _dtype(np.array(["a"]))
    ('uint8', None)
    """
    return None if requests.dtype.kind in "OSU" else requests.dtype.name


def _checked(runtimes: Runtimes, folder: Path, job: Job) -> dict:
    """Return the result of the check in a process without Keras, or raise if it fails."""
    try:
        found = runtimes.check("tensorflow", model=folder, samples=job.samples)
    except CheckFailed as e:
        raise RecipeError(
            f"The exported model does not run in TensorFlow without Keras: {e}. "
            "Nothing was exported."
        ) from e
    most, difference = job.manifest["tolerance"], found["largest_difference"]
    if difference > most:
        raise RecipeError(
            f"The exported model's outputs differ from the live model's by {difference:.3g}; "
            f"at most {most:g} is allowed. Nothing was exported."
        )
    return found


def _warm_up(runtimes: Runtimes, folder: Path, *about) -> dict:
    """Write and run warm-up requests, if TensorFlow Serving's message types are installed."""
    if not tf_serving.available():
        return {"warm_up_requests": 0}
    file = tf_serving.write_warm_up(folder, *about)
    try:
        return runtimes.check("tensorflow", model=folder, warm_up=file)
    except CheckFailed as e:
        raise RecipeError(
            f"The exported model cannot run its warm-up requests: {e}. Nothing was exported."
        ) from e


def _makers(job: Job, write: Callable, model, stepwise: bool) -> dict:
    """Return the writer of each variant: a function of the file that returns manifest entries."""
    original = Original(job.model, job.task, job.info, job.data.train[0], stepwise)

    def smaller(kind):
        def make(file):
            write(file, weights=kind(model))
            return {"format": "SavedModel"}

        return make

    return {
        "float16": smaller(reduced.float16),
        "int8": smaller(reduced.int8),
        "onnx": functools.partial(converted.onnx, original),
        **{
            kind: functools.partial(converted.litert, original, kind=kind)
            for kind in converted.LITERT
        },
    }


def _versions() -> dict[str, str]:
    packages = ("kcatalog", "keras", "tensorflow", "keras-tuner", "numpy", "jax", "torch")
    found = {"python": platform.python_version()}
    for package in (*packages, *(p for v in variants.VARIANTS.values() for _, p in v.packages)):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found
