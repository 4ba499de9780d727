"""Export to `saved_models/<recipe>/<version>/`, complete and verified or not at all."""

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
    clean,
    converted,
    reduced,
    serving,
    signatures,
    tf_serving,
    variants,
)
from kcatalog.recipe.export.clean import Processes
from kcatalog.recipe.export.exam import Exam
from kcatalog.recipe.export.numeric import Original
from kcatalog.recipe.export.portable import portable
from kcatalog.recipe.export.stepwise import Refused, Stepwise
from kcatalog.recipe.export.versions import keep_newest, newest, of, put_in_place
from kcatalog.recipe.files import disk
from kcatalog.recipe.files.rundir import write_json
from kcatalog.recipe.terminal.errors import RecipeError

__all__ = ["Job", "export", "keep_newest", "newest", "tolerance"]

# How far the served numbers may be from the live ones, by precision. GPUs and TPUs multiply
# float32 with fewer bits than a CPU does.
TOLERANCE = {"float32": 1e-4, "mixed_float16": 1e-2, "mixed_bfloat16": 1e-1}
TOLERANCE_OFF_CPU = 1e-2
READ = (8, 48)  # texts and characters on which a model is tried piece by piece


@dataclass(frozen=True)
class Job:
    """What to export.

    Args:
        recipe: names the directory of versions.
        model: the trained model's file.
        samples: an .npz file with `request`, and the live model's answer to it under the
            names of the outputs.
        manifest: facts to write into `manifest.json`; `tolerance` and `data` are read.
        data: the recipe's, which variants are scored on.
        variants: names in `variants.VARIANTS`.
    """

    recipe: str
    model: Path
    samples: Path
    manifest: dict
    data: Data | None = None
    variants: tuple[str, ...] = ()


def tolerance(precision: str, device: str) -> float:
    """The largest difference at which an export still counts as the same model.

    >>> tolerance("float32", "CPU"), tolerance("float32", "GPU")
    (0.0001, 0.01)
    """
    on_cpu = device.endswith(("CPU", "CPUs"))
    return max(TOLERANCE[precision], 0.0 if on_cpu else TOLERANCE_OFF_CPU)


def export(job: Job) -> Path:
    """Write, verify, and only then put in place. Returns the version's directory."""
    import tensorflow as tf

    versions = of(job.recipe)
    try:
        versions.mkdir(parents=True, exist_ok=True)
        with (
            clean.processes() as processes,
            disk.workspace(versions) as unfinished,
            tf.device("CPU:0"),
        ):
            processes.start("tensorflow")
            folder = unfinished / "model"
            facts = _write(job, folder, processes)
            write_json(folder / "manifest.json", {**job.manifest, **facts})
            tf_serving.write_config(versions, job.recipe)
            return put_in_place(folder, versions)
    except Exception as e:  # a full disk in the system's words, TensorFlow's, or another process's
        if reason := disk.disk_error(e):
            raise RecipeError(f"Nothing was exported to {versions}. {reason}.") from e
        raise


def _write(job: Job, folder: Path, processes: Processes) -> dict:
    """Write an export and all of its variants. Returns what the manifest says of it."""
    info, model = DataInfo.from_record(job.manifest["data"]), portable(job.model)
    with np.load(job.samples) as file:
        requests = file["request"]
    stepwise, why_not = _stepwise(model, requests, info, job.manifest["tolerance"])
    write = functools.partial(
        signatures.write, model, info, stepwise=stepwise, dtype=serving.dtype(requests)
    )
    write(folder)
    states = stepwise and {name: list(shape) for name, shape in stepwise.states.items()}
    found = _verified(processes, folder, job)
    del found["inputs"], found["outputs"]  # of the default signature, which is among all
    found |= _warm_up(processes, folder, job.recipe, found["signatures"], requests, info)
    if why_not:
        found["no_step"] = why_not
    found["size_bytes"] = variants.size(folder)
    if job.variants:
        makers = _makers(job, write, model, stepwise is not None)
        exam = Exam(job.data, info, job.samples, states)
        found["plain"] = exam.row(processes, "tensorflow", folder)
        found["variants"] = variants.write(
            list(job.variants), makers, folder / "variants", exam, processes
        )
    return {**found, "versions": _versions()}


def _stepwise(model, requests, info: DataInfo, most: float) -> tuple[Stepwise | None, str | None]:
    """A text model with its state in and out, or the reason why there is none."""
    if info.task != "next-character":
        return None, None
    texts, length = READ
    shortest = min(length, *map(len, requests[:texts]))
    codes = np.array([[ord(c) for c in text[:shortest]] for text in requests[:texts]], "int32")
    try:
        stepwise = Stepwise(model)
        stepwise.check(model, codes, most)
    except Refused as e:
        return None, str(e)
    return stepwise, None


def _verified(processes: Processes, folder: Path, job: Job) -> dict:
    """What the clean process found; an error where the live model answers otherwise."""
    try:
        found = processes.examine("tensorflow", model=folder, samples=job.samples)
    except clean.Failed as e:
        raise RecipeError(
            f"The exported model must run in plain TensorFlow. Received: {e}. Nothing was exported."
        ) from e
    most, difference = job.manifest["tolerance"], found["largest_difference"]
    if difference > most:
        raise RecipeError(
            f"The exported model must answer as the live one does, within {most:g}. "
            f"Received: a difference of {difference:.3g}. Nothing was exported."
        )
    return found


def _warm_up(processes: Processes, folder: Path, *about) -> dict:
    """Write warm-up requests and try them, where TensorFlow Serving's messages are installed."""
    if not tf_serving.available():
        return {"warm_up_requests": 0}
    file = tf_serving.write_warm_up(folder, *about)
    try:
        return processes.examine("tensorflow", model=folder, warm_up=file)
    except clean.Failed as e:
        raise RecipeError(
            f"The warm-up requests must run. Received: {e}. Nothing was exported."
        ) from e


def _makers(job: Job, write: Callable, model, stepwise: bool) -> dict:
    """How each variant is written: a function of the file, which returns facts about it."""
    original = Original(
        job.model, DataInfo.from_record(job.manifest["data"]), job.data.train[0], stepwise
    )

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
