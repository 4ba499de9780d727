"""Export to `saved_models/<recipe>/<version>/`, complete and verified or not at all."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from kcatalog.recipe.errors import RecipeError
from kcatalog.recipe.export import serving, verify
from kcatalog.recipe.rundir import write_json

# How far the served numbers may be from the live ones, by precision. GPUs and TPUs multiply
# float32 with fewer bits than a CPU does.
TOLERANCE = {"float32": 1e-4, "mixed_float16": 1e-2, "mixed_bfloat16": 1e-1}
TOLERANCE_OFF_CPU = 1e-2


def tolerance(precision: str, device: str) -> float:
    """The largest difference at which an export still counts as the same model.

    >>> tolerance("float32", "CPU"), tolerance("float32", "GPU")
    (0.0001, 0.01)
    """
    on_cpu = device.endswith(("CPU", "CPUs"))
    return max(TOLERANCE[precision], 0.0 if on_cpu else TOLERANCE_OFF_CPU)


def export(recipe: str, model_file: Path, samples: Path, manifest: dict) -> Path:
    """Write, verify, and only then put in place. Returns the version's directory.

    Args:
        recipe: names the directory of versions.
        model_file: the trained model.
        samples: an .npz file with `request`, and the live model's answer to it under the
            names of the outputs.
        manifest: facts to write into `manifest.json`; `tolerance` and `data` are read.
    """
    versions = Path("saved_models") / recipe
    try:
        versions.mkdir(parents=True, exist_ok=True)
        with (
            _verifier() as clean_process,
            tempfile.TemporaryDirectory(prefix=".unfinished-", dir=versions) as unfinished,
        ):
            folder = Path(unfinished) / "model"
            _write(model_file, manifest["data"], folder)
            difference = _difference(clean_process, folder, samples)
            if difference > manifest["tolerance"]:
                raise RecipeError(
                    f"The exported model must answer as the live one does, within "
                    f"{manifest['tolerance']:g}. Received: a difference of {difference:.3g}. "
                    "Nothing was exported."
                )
            facts = {**manifest, "largest_difference": difference, "versions": _versions()}
            write_json(folder / "manifest.json", facts)
            return _put_in_place(folder, versions)
    except OSError as e:
        raise RecipeError(f"Nothing was exported: cannot write to {versions}: {e}.") from e


def newest(recipe: str) -> Path | None:
    """The highest exported version."""
    versions = Path("saved_models") / recipe
    numbers = [int(d.name) for d in versions.glob("*") if d.name.isdigit()]
    return versions / str(max(numbers)) if numbers else None


def _write(model_file: Path, facts: dict, folder: Path) -> None:
    import tensorflow as tf

    try:
        with tf.device("CPU:0"):
            serving.write(serving.portable(model_file), facts, folder)
    except tf.errors.OpError as e:  # a full disk, in TensorFlow's words
        raise OSError(e.message) from e


def _put_in_place(folder: Path, versions: Path) -> Path:
    """Rename to the next free number; renaming onto a version that exists fails by itself."""
    number = max((int(d.name) for d in versions.glob("*") if d.name.isdigit()), default=0)
    while True:
        number += 1
        target = versions / str(number)
        try:
            os.rename(folder, target)
        except OSError as e:
            if e.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                continue
            raise
        return target


@contextlib.contextmanager
def _verifier() -> Iterator[subprocess.Popen]:
    """The clean process. It starts early, so that its imports run beside the export."""
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, verify.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _difference(process: subprocess.Popen, folder: Path, samples: Path) -> float:
    job = {"model": str(folder.resolve()), "samples": str(samples.resolve())}
    output, _ = process.communicate(json.dumps(job) + "\n")
    try:
        answer = json.loads(output)
    except ValueError:
        answer = {"error": f"the verifying process ended with code {process.returncode}"}
    if "error" in answer:
        raise RecipeError(
            f"The exported model must run in plain TensorFlow. Received: {answer['error']}. "
            "Nothing was exported."
        )
    return answer["difference"]


def _versions() -> dict[str, str]:
    packages = ("kcatalog", "keras", "tensorflow", "keras-tuner", "numpy", "jax", "torch")
    found = {"python": platform.python_version()}
    for package in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found
