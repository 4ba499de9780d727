"""Smaller forms of an export and other formats, with the cost and loss of each."""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from kcatalog import checks
from kcatalog.recipe.export.runtimes import CheckFailed, Runtimes
from kcatalog.recipe.export.stepwise import Refused
from kcatalog.recipe.export.variant_check import VariantCheck
from kcatalog.recipe.files import disk
from kcatalog.recipe.terminal.errors import RecipeError


@dataclass(frozen=True)
class Variant:
    """A form of an export.

    Args:
        about: a description for the manifest.
        file: its path in the version's `variants` folder.
        runtime: the runtime that it is checked with.
        packages: required modules, and the packages that have them.
    """

    about: str
    file: str
    runtime: str = "tensorflow"
    packages: tuple[tuple[str, str], ...] = ()


LITERT = (("ai_edge_litert", "ai-edge-litert"),)
ONNX = (("onnx", "onnx"), ("onnxruntime", "onnxruntime"), ("tf2onnx", "tf2onnx"))

VARIANTS = {
    "float16": Variant("SavedModel, kernels in half precision", "float16/1"),
    "int8": Variant("SavedModel, kernels in eight bits", "int8/1"),
    "litert": Variant("LiteRT, float32", "float32.tflite", "litert", LITERT),
    "litert_float16": Variant(
        "LiteRT, kernels in half precision", "float16.tflite", "litert", LITERT
    ),
    "litert_dynamic_int8": Variant(
        "LiteRT, kernels in eight bits", "dynamic_int8.tflite", "litert", LITERT
    ),
    "litert_int8": Variant("LiteRT, computed in eight bits", "int8.tflite", "litert", LITERT),
    "onnx": Variant("ONNX, float32", "float32.onnx", "onnx", ONNX),
}


def parse(names: str | None) -> list[str]:
    """Return the names in a comma-separated list, or all for "all".

    >>> parse("onnx,int8"), parse(None)
    (['int8', 'onnx'], [])
    """
    asked = [name.strip() for name in names.split(",")] if names else []
    if asked == ["all"]:
        asked = list(VARIANTS)
    for name in asked:
        if name not in VARIANTS:
            raise RecipeError(
                f"--variants must be all, or a comma-separated list of names. Received: {name!r}. "
                f"{checks.closest(name, VARIANTS)}"
            )
    found = [name for name in VARIANTS if name in asked]
    for name in found:
        for module, package in VARIANTS[name].packages:
            if importlib.util.find_spec(module) is None:
                raise RecipeError(
                    f"--variants {name} needs the package {package}, which is not installed. "
                    'Install it with: pip install "kcatalog[export]"'
                )
    return found


def write(
    names: list[str],
    makers: dict[str, Callable[[Path], dict]],
    folder: Path,
    check: VariantCheck,
    runtimes: Runtimes,
) -> dict[str, dict]:
    """Write variants into a folder. Returns the manifest's entry for each.

    A variant that the model or the format does not allow is left out, with the reason in its entry.
    """
    rows = {}
    for name in names:
        variant, file = VARIANTS[name], folder / VARIANTS[name].file
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            about = makers[name](file)
            row = {**about, "size_bytes": size(file), **check.row(runtimes, variant.runtime, file)}
            rows[name] = {"about": variant.about, "file": f"{folder.name}/{variant.file}", **row}
        except Exception as e:  # converters and runtimes have errors of their own
            if disk.disk_error(e):  # a full disk ends the whole export
                raise
            rows[name] = {"about": variant.about, "refused": _sentence(e)}
            shutil.rmtree(file, ignore_errors=True)
            file.unlink(missing_ok=True)
    return rows


def size(file: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    return sum(
        f.stat().st_size for f in (file.rglob("*") if file.is_dir() else [file]) if f.is_file()
    )


def show(console: Console, manifest: dict) -> None:
    """Print a table of the variants, and the reasons for those that were left out."""
    measure, live = manifest["metrics"]["measure"], manifest["metrics"]["test"]
    table = Table(Column("variant", no_wrap=True), "KB", "ms, 1", "ms, 32", "difference", measure)
    table.add_row("(the live model)", "", "", "", "", f"{live:.4f}")
    plain = {**manifest["plain"], "size_bytes": manifest["size_bytes"]}
    for name, row in {"SavedModel": plain, **manifest["variants"]}.items():
        if "refused" not in row:
            latency, score = row["latency_ms"], row["score"]
            batch = latency.get("batch_32")
            table.add_row(
                name,
                f"{row['size_bytes'] / 1024:.0f}",
                f"{latency['single']:.2f}",
                "" if batch is None else f"{batch:.2f}",
                f"{row['largest_difference']:.2g}",
                "" if score is None else f"{score:.4f}",
            )
    console.print(table)
    for name, row in manifest["variants"].items():
        if "refused" in row:
            console.print(f"{name} was left out: {row['refused']}.", style="yellow")


# LiteRT's converter puts internal locations before the error.
CONVERTERS = re.compile(r"^<unknown>:0: error: (loc\(.*\): )?")


def _sentence(e: Exception) -> str:
    """Return an error as one sentence, short enough for a manifest."""
    if "XNNPACK" in str(e):
        return "LiteRT's default delegate, XNNPACK, cannot prepare it (tensorflow issue 77293)"
    lines = [line.strip() for line in str(e).splitlines() if line.strip()]
    first = CONVERTERS.sub("", lines[0] if lines else type(e).__name__)[:300].rstrip(".")
    return first if isinstance(e, (Refused, CheckFailed)) else f"{type(e).__name__}: {first}"
