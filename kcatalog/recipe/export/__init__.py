"""Export to `saved_models/<recipe>/<version>/`, complete and checked, or not at all."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from kcatalog.recipe.data import Data
from kcatalog.recipe.export import model_card, tf_serving, variant_report, variants
from kcatalog.recipe.export.check_export import CheckFailed, Runtimes
from kcatalog.recipe.export.original import Original
from kcatalog.recipe.export.versions import keep_newest, newest, of, put_in_place
from kcatalog.recipe.files import disk, run_toml
from kcatalog.recipe.files.rundir import write_json
from kcatalog.recipe.terminal import output
from kcatalog.recipe.terminal.errors import RecipeError

__all__ = ["export", "keep_newest", "newest", "tolerance"]

# Largest difference between exported and live outputs, by precision. GPUs and TPUs multiply
# float32 with fewer bits than a CPU.
TOLERANCE = {"float32": 1e-4, "mixed_float16": 1e-2, "mixed_bfloat16": 1e-1}
TOLERANCE_OFF_CPU = 1e-2


def tolerance(precision: str, device: str) -> float:
    """Return the largest difference between exported and live outputs that passes the check.

    >>> tolerance("float32", "CPU"), tolerance("float32", "GPU")
    (0.0001, 0.01)
    """
    on_cpu = device.endswith(("CPU", "CPUs"))
    return max(TOLERANCE[precision], 0.0 if on_cpu else TOLERANCE_OFF_CPU)


def export(
    recipe: str,
    model: Path,
    samples: Path,
    data: Data,
    manifest: dict[Any, Any],
    wanted: tuple[str, ...] = (),
    accept: Collection[str] = (),
    console: Console | None = None,
) -> Path:
    """Write and check an export, then rename it into place. Returns the version's folder.

    Args:
        recipe: the name of the folder of versions.
        model: the trained model's file.
        samples: an .npz file with `request`, and the live model's outputs for it by name.
        data: the recipe's data.
        manifest: entries of `manifest.json`; `tolerance` is used here, `warnings` are added to.
        wanted: names in `variants.VARIANTS`.
        accept: those of them that are kept though they fail.
        console: shows the progress.
    """
    console = console or output.console(quiet=True)
    import tensorflow as tf

    versions, original = of(recipe), Original(model, data, manifest["tolerance"])
    try:
        versions.mkdir(parents=True, exist_ok=True)
        with (
            Runtimes() as runtimes,
            disk.workspace(versions) as unfinished,
            output.steps("Writing and checking", 1 + len(wanted), console) as begin,
            tf.device("CPU:0"),
        ):
            runtimes.start("tensorflow")
            folder = unfinished / "model"
            begin("SavedModel")
            found = _write(original, folder, recipe, samples, runtimes)
            if wanted:
                check = variants.Check(original, samples, runtimes)
                found["plain"] = check.row("tensorflow", folder)
                found["variants"] = variants.write(
                    wanted, original, folder / "variants", check, found["plain"], accept, begin
                )
            warned = [*manifest.get("warnings", ()), *_warnings(found, original.tolerance)]
            manifest = {**manifest, **found, "warnings": warned, "versions": _versions()}
            write_json(folder / "manifest.json", manifest)
            classes = () if original.task.generates else original.info.classes
            card = model_card.text(recipe, original.info, manifest, classes)
            (folder / model_card.NAME).write_text(card, encoding="utf-8")
            tf_serving.write_config(versions, recipe)
            return put_in_place(folder, versions)
    except Exception as e:  # Python, TensorFlow and other processes report a full disk differently
        if reason := disk.disk_error(e):
            raise RecipeError(f"Nothing was exported to {versions}. {reason}.") from e
        raise


def _write(
    original: Original, folder: Path, recipe: str, samples: Path, runtimes: Runtimes
) -> dict[Any, Any]:
    """Write the SavedModel and check it. Returns its entries for the manifest."""
    signatures, job = original.write(folder), {"model": folder, "samples": samples}
    if tf_serving.available():
        with np.load(samples) as file:
            requests = file["request"]
        name = original.info.input_name
        job["warm_up"] = tf_serving.write_warm_up(folder, recipe, signatures, requests, name)
    try:
        found = {"warm_up_requests": 0, **runtimes.check("tensorflow", **job)}
    except CheckFailed as e:
        raise RecipeError(
            f"The exported model does not run in TensorFlow without Keras: {e}. "
            "Nothing was exported."
        ) from e
    if found["largest_difference"] > original.tolerance:
        raise RecipeError(
            "The exported model's outputs differ from the live model's by "
            f"{found['largest_difference']:.3g}; at most {original.tolerance:g} is allowed. "
            "Nothing was exported."
        )
    del found["inputs"], found["outputs"]  # of the default signature, which is among all
    if original.no_step:
        found["no_step"] = original.no_step
    return {**found, "size_bytes": variants.size(folder)}


def _warnings(found: dict[Any, Any], tolerance: float) -> list[str]:
    """Return what a user of the export has to know, in sentences."""
    warned = variant_report.faults(found.get("variants", {}))
    if (difference := found.get("difference_alone", 0)) > 10 * tolerance:
        warned.append(
            f"A sample's outputs depend on the other samples of its batch: they differ by "
            f"{difference:.2g} from those for the sample alone. Look for a layer that computes "
            "over the batch axis in inference."
        )
    return warned


def _versions() -> dict[str, str]:
    packages = ["kcatalog", "keras", "tensorflow", "keras-tuner", "numpy", "jax", "torch"]
    for kind in (variants.LITERT, variants.ONNX):
        packages += [module.replace("_", "-") for module in kind.modules]
    return run_toml.versions(packages)
