"""Export a run's model, with a manifest of what made it."""

from __future__ import annotations

import dataclasses
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator

import keras
from rich.console import Console

from kcatalog.recipe import export
from kcatalog.recipe.commands.options import Options
from kcatalog.recipe.commands.words import arguments
from kcatalog.recipe.data import Data
from kcatalog.recipe.export import model_card, variant_report, variants
from kcatalog.recipe.files import rundir
from kcatalog.recipe.files.rundir import Run
from kcatalog.recipe.terminal.errors import RecipeError


def export_run(
    recipe, run: Run, data: Data, options: Options, wanted: tuple, console: Console
) -> None:
    """Export a run's model, in the variants `wanted` too, and print its folder."""
    if keras.backend.backend() != "tensorflow":
        _with_tensorflow(recipe, run, options)
        return
    settings, metrics = run.facts["settings"], run.read("metrics.json")
    manifest = {
        "recipe": recipe.name,
        "run": str(run.path),
        "command": run.facts.get("command", ""),
        "tolerance": export.tolerance(settings["precision"], metrics["device"]),
        "metrics": metrics,
        "warnings": list(_worse_than_baseline(metrics)),
        "data": run.facts["data"],
        "findings": run.facts.get("findings", []),
        "settings": settings,
        "hyperparameters": run.hyperparameters,
        "parts": run.read("training.json")["parts"],
    }
    accept = variants.accepted(options.accept, wanted)
    folder = export.export(
        recipe.name, run.model, run.samples, data, manifest, wanted, accept, console
    )
    written = rundir.read_json(folder / "manifest.json")
    difference = written["largest_difference"]
    console.print(
        f"Checked in a clean process: the largest difference is {difference:.2g} "
        f"(tolerance {manifest['tolerance']:g}).\n"
        f"SavedModel:  {folder}\n"
        f"Model card:  {folder / model_card.NAME}\n"
        f"TensorBoard: tensorboard --logdir {shlex.quote(str(run.logs))}"
    )
    if wanted:
        variant_report.show(console, written)
    for sentence in written["warnings"]:
        console.print(sentence, style="bold red")
    if options.keep_versions:
        for gone in export.keep_newest(recipe.name, options.keep_versions):
            console.print(f"Deleted {gone} (--keep-versions).")


def _worse_than_baseline(metrics: dict) -> Iterator[str]:
    """Yield a warning if the baseline has the better score on the test split."""
    score, baseline = metrics["test"], metrics["baseline"]
    if score < baseline["test"] if metrics["higher"] else score > baseline["test"]:
        yield (
            f"This model is worse than its baseline: test {metrics['measure']} {score:.4g}, "
            f"{baseline['name']} {baseline['test']:.4g}."
        )


def _with_tensorflow(recipe, run: Run, options: Options) -> None:
    """Run the recipe's `export` on TensorFlow, for a model trained on JAX or PyTorch."""
    before = export.newest(recipe.name)
    options = dataclasses.replace(options, run_dir=run.path, devices="cpu")
    done = subprocess.run(  # noqa: S603 - the recipe itself
        [sys.executable, recipe.script, "export", *arguments(options, "export")],
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        check=False,
    )
    if done.returncode:
        raise RecipeError("The export with TensorFlow failed. The reason is printed above.")
    if export.newest(recipe.name) == before:
        raise RecipeError(
            f"Running {recipe.script} exported nothing. The script of a recipe must end in "
            "`recipe.main()`."
        )
