"""Smaller forms of an export and other formats, with the cost and loss of each."""

from __future__ import annotations

import functools
import importlib.util
import re
import shutil
import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kcatalog import checks
from kcatalog.recipe import tasks
from kcatalog.recipe.data.files import draw, take
from kcatalog.recipe.export import converted, reduced
from kcatalog.recipe.export.check_export import CheckFailed, Runtimes
from kcatalog.recipe.export.original import Original
from kcatalog.recipe.export.stepwise import Refused
from kcatalog.recipe.files import disk
from kcatalog.recipe.terminal.errors import RecipeError, first_line

TEXTS = 64  # windows of a text that are scored; each of their characters is a call

# What a variant may lose before it counts as failing: a share of the live model's score, and, for
# one that computes in float32, as the live model does, this difference of its outputs.
SCORE_TOLERANCE = 0.02
FLOAT_TOLERANCE = 1e-3


def _reduced(original: Original, file: Path, kind: str) -> dict[Any, Any]:
    original.write(file, reduced.weights(original.model, kind))
    return {}


@dataclass(frozen=True)
class Format:
    """A file format.

    Args:
        name: its name in the manifest.
        suffix: the suffix of its files.
        runtime: the runtime that checks it.
        write: a function of the original, the file and the kind; returns entries for the manifest.
        modules: the modules that it needs.
    """

    name: str
    suffix: str
    runtime: str
    write: Callable[[Original, Path, str], dict[Any, Any]]
    modules: tuple[str, ...] = ()


@dataclass(frozen=True)
class Variant:
    """A form of an export: a format and a kind of numbers, with a description of the kind."""

    format: Format
    kind: str
    about: str


SAVED_MODEL = Format("SavedModel", "/1", "tensorflow", _reduced)
LITERT = Format("LiteRT", ".tflite", "litert", converted.litert, ("ai_edge_litert",))
ONNX = Format("ONNX", ".onnx", "onnx", converted.onnx, ("onnx", "onnxruntime", "tf2onnx"))

VARIANTS = {
    "float16": Variant(SAVED_MODEL, "float16", "kernels in half precision"),
    "int8": Variant(SAVED_MODEL, "int8", "kernels in eight bits"),
    "litert": Variant(LITERT, "float32", "float32"),
    "litert_float16": Variant(LITERT, "float16", "kernels in half precision"),
    "litert_dynamic_int8": Variant(LITERT, "dynamic_int8", "kernels in eight bits"),
    "litert_int8": Variant(LITERT, "int8", "computed in eight bits"),
    "onnx": Variant(ONNX, "float32", "float32"),
}


def parse(names: str | None, option: str = "--variants") -> list[str]:
    """Return the names in an option's comma-separated list, or all for "all".

    >>> parse("onnx,int8"), parse(None)
    (['int8', 'onnx'], [])
    """
    asked = [name.strip() for name in names.split(",")] if names else []
    if asked == ["all"]:
        asked = list(VARIANTS)
    for name in asked:
        if name not in VARIANTS:
            raise RecipeError(
                f"{option} must be all, or a comma-separated list of names. Received: {name!r}. "
                f"{checks.closest(name, VARIANTS)}"
            )
        for module in VARIANTS[name].format.modules:
            if importlib.util.find_spec(module) is None:
                raise RecipeError(
                    f"--variants {name} needs the package {module.replace('_', '-')}, which is not "
                    'installed. Install it with: pip install "kcatalog[export]"'
                )
    return [name for name in VARIANTS if name in asked]


def accepted(names: str | None, wanted: list[str]) -> list[str]:
    """Return the variants of `--accept` that are among those of `--variants`."""
    found = parse(names, "--accept")
    if names != "all" and (others := [name for name in found if name not in wanted]):
        raise RecipeError(
            f"--accept must name variants that are exported. Received: {', '.join(others)}. "
            f"Add: --variants {','.join([*wanted, *others])}"
        )
    return [name for name in found if name in wanted]


@dataclass(frozen=True)
class Check:
    """The check that every form of an export goes through: differences, latency, score.

    Args:
        original: the trained model.
        samples: an .npz file of the run: test samples and the live model's outputs.
        runtimes: the processes to check in.
    """

    original: Original
    samples: Path
    runtimes: Runtimes

    def row(self, runtime: str, file: Path) -> dict[Any, Any]:
        """Return a file's entries for the manifest."""
        states = self.original.states
        with tempfile.TemporaryDirectory(dir=file.parent) as folder:
            samples, outputs = Path(folder) / "samples.npz", Path(folder) / "outputs.npz"
            np.savez(samples, **self.asked(cells=runtime == "tensorflow"))
            job = {"states": states, "signature": "step"} if states else {}
            row = self.runtimes.check(runtime, model=file, samples=samples, outputs=outputs, **job)
            with np.load(outputs) as written:
                answers = dict(written)
        row.pop("signatures", None)
        return {**row, **self.scored(answers)}

    @functools.cached_property
    def order(self) -> np.ndarray:
        """The test split's indices, those of samples with known live outputs first."""
        every = np.arange(len(self.original.data.test[1]))
        with np.load(self.samples) as file:
            first = draw(len(every), len(file["request"]))
        return np.concatenate([first, np.setdiff1d(every, first)])

    def asked(self, cells: bool = True) -> dict[Any, Any]:
        """Return the test split, then the samples that the task compares it with, if any; and the
        live model's outputs for the first ones.

        Args:
            cells: whether the format takes a table's cells; others take the features.
        """
        task, data = self.original.task, self.original.data
        with np.load(self.samples) as file:
            want = {key: file[key] for key in file.files if key != "request"}
        x = take(data.test[0], self.order)
        if self.original.states:
            return {"request": x[:TEXTS], **{key: values[:TEXTS] for key, values in want.items()}}
        if known := task.known(data, "test"):
            x = np.concatenate([x, known[0]])
        if cells and data.requests is not None:
            return {"request": tasks.requests(data, self.order), **want}
        return {"request": task.request(x), **want}

    def scored(self, answers: dict[Any, Any]) -> dict[Any, Any]:
        """Return the score on the test split; a text model without steps has none."""
        task, data = self.original.task, self.original.data
        if task.generates and not self.original.states:
            return {"score": None}
        labels, outputs = data.test[1][self.order], task.outputs(answers)
        labels, outputs, compared = labels[: len(outputs)], outputs[: len(labels)], ()
        if known := task.known(data, "test"):
            compared = task.outputs(answers)[len(labels) :], known[1]
        return {"score": task.score(labels, outputs, *compared), "scored_samples": len(labels)}

    def fault(self, kind: str, row: dict[Any, Any], plain: dict[Any, Any]) -> str | None:
        """Return why a variant fails, if it loses more than the tolerances beside the plain form.

        Args:
            kind: the variant's kind of numbers.
            row: its entries for the manifest.
            plain: those of the SavedModel.
        """
        task, score, before = self.original.task, row["score"], plain["score"]
        if score is not None:
            lost = before - score if task.better == "higher" else score - before
            if not lost <= SCORE_TOLERANCE * abs(before):
                change = "falls" if task.better == "higher" else "rises"
                return (
                    f"its {task.measure} {change} from {before:.4g} to {score:.4g}, "
                    f"and {SCORE_TOLERANCE:.0%} is allowed"
                )
        most = max(FLOAT_TOLERANCE, self.original.tolerance)
        if kind == "float32" and not row["largest_difference"] <= most:
            return (
                f"its outputs differ from the live model's by {row['largest_difference']:.2g}, "
                f"and {most:g} is allowed"
            )
        return None


def write(
    names: tuple[str, ...],
    original: Original,
    folder: Path,
    check: Check,
    plain: dict[Any, Any],
    accept: Collection[str] = (),
    begin: Callable[[str], None] = lambda name: None,
) -> dict[Any, Any]:
    """Write variants into a folder. Returns the manifest's entry for each.

    A variant that the model or the format does not allow is left out, with the reason in its entry
    as `refused`. One that fails has the reason as `failing`, and is left out unless it is accepted.

    Args:
        names: the variants.
        original: the trained model.
        folder: where they are written.
        check: the check of each.
        plain: the check's entries for the SavedModel, which they are compared with.
        accept: those that are kept though they fail.
        begin: is told the name of each before it is written.
    """
    rows = {}
    for name in names:
        begin(name)
        kind, made = VARIANTS[name].kind, VARIANTS[name].format
        about, file = f"{made.name}, {VARIANTS[name].about}", folder / f"{kind}{made.suffix}"
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            row = {"file": file.relative_to(folder.parent).as_posix(), "format": made.name}
            row |= made.write(original, file, kind)
            row |= {"size_bytes": size(file), **check.row(made.runtime, file)}
            if fault := check.fault(kind, row, plain):
                row |= {"failing": fault, "accepted": name in accept}
                if name not in accept:
                    _remove(file)
                    del row["file"]
        except Exception as e:  # converters and runtimes have errors of their own
            if disk.disk_error(e):  # a full disk ends the whole export
                raise
            row = {"refused": _sentence(e)}
            _remove(file)
        rows[name] = {"about": about, **row}
    return rows


def _remove(file: Path) -> None:
    shutil.rmtree(file, ignore_errors=True)
    file.unlink(missing_ok=True)


def size(file: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    return sum(f.stat().st_size for f in (file, *file.rglob("*")) if f.is_file())


# LiteRT's converter puts internal locations before the error.
CONVERTERS = re.compile(r"^<unknown>:0: error: (loc\(.*\): )?")


def _sentence(e: Exception) -> str:
    """Return an error as one sentence, short enough for a manifest."""
    if "XNNPACK" in str(e):
        return "LiteRT's default delegate, XNNPACK, cannot prepare it (tensorflow issue 77293)"
    first = CONVERTERS.sub("", first_line(e))[:300].rstrip(".")
    return first if isinstance(e, (Refused, CheckFailed)) else f"{type(e).__name__}: {first}"
