"""`kcatalog doctor`: report what is installed, what can be used and what is missing."""

from __future__ import annotations

import importlib.util
import platform
import shutil
from importlib import metadata
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kcatalog import progress, quiet

_PACKAGES = (
    ("tensorflow", "training, export"),
    ("keras", "everything"),
    ("keras-tuner", "tuning"),
    ("tensorboard", "monitoring"),
    ("jax", 'the JAX backend: pip install "kcatalog[jax]"'),
    ("torch", 'the PyTorch backend: pip install "kcatalog[torch]"'),
    ("scikit-learn", 'data and baselines of recipes: pip install "kcatalog[recipes]"'),
    ("ai-edge-litert", 'LiteRT exports: pip install "kcatalog[export]"'),
    ("onnxruntime", 'ONNX exports: pip install "kcatalog[export]"'),
    ("uvicorn", 'the command serve: pip install "kcatalog[serve]"'),
    ("libcst", 'the command migrate: pip install "kcatalog[migrate]"'),
    ("ray", 'searches on a cluster: pip install "kcatalog[cluster]"'),
)


def report(console: Console):
    """Print versions, backend and devices, and what is missing for GPU, TPU and export."""
    console.print(f"Python {platform.python_version()}, {platform.platform()}", highlight=False)
    table = Table(box=None, pad_edge=False)
    for column in ("Package", "Version", "Needed for"):
        table.add_column(column)
    for package, purpose in (("kcatalog", "this"), *_PACKAGES):
        version = _version(package) or "[yellow]not installed[/]"
        table.add_row(package, version, escape(purpose))
    console.print(table)
    for problem in _conflicts():
        console.print(f"[yellow]Warning:[/] {escape(problem)}", highlight=False)
    quiet.tensorflow(level=3)
    try:
        with progress.wait("Starting Keras and its backend", console):
            import keras
    except ImportError as e:
        fix = "Install its backend, or set KERAS_BACKEND to one that is: tensorflow, jax or torch."
        console.print(f"Keras cannot start: {escape(str(e))}. {fix}", highlight=False)
        return
    console.print(f"Backend: {keras.backend.backend()} (set KERAS_BACKEND to change it)")
    devices = _devices(keras.backend.backend())
    console.print(f"Devices: {', '.join(devices)}", highlight=False)
    kinds = {d.split(":")[0].lower() for d in devices}
    for accelerator, missing in (
        ("gpu", 'no GPU is visible; with an NVIDIA driver: pip install "kcatalog[gpu]"'),
        (
            "tpu",
            'no TPU is visible; on a Cloud TPU host: pip install "jax[tpu]", KERAS_BACKEND=jax',
        ),
    ):
        present = accelerator in kinds or (accelerator == "gpu" and "cuda" in kinds)
        found = escape("found" if present else missing)
        console.print(f"{accelerator.upper()}: {found}", highlight=False)
    can_export = importlib.util.find_spec("tensorflow") is not None
    console.print(f"Export to SavedModel: {'ready' if can_export else 'needs tensorflow'}")
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    console.print(f"Free disk space here: {free:.0f} GiB", highlight=False)


def _version(package: str) -> str | None:
    """Return the installed version, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _conflicts() -> list[str]:
    """Return a sentence for each pair of installed packages that do not work together."""
    tensorboard, setuptools = _version("tensorboard"), _version("setuptools")
    old = tensorboard is not None and tensorboard.startswith("2.20.")
    if old and setuptools is not None and int(setuptools.split(".")[0]) >= 82:
        return [
            "TensorBoard 2.20 needs pkg_resources, which setuptools has dropped in version 82. "
            'Run: pip install "tensorboard>=2.21", or pip install "setuptools<82".'
        ]
    return []


def _devices(backend: str) -> list[str]:
    if backend == "tensorflow":
        import tensorflow as tf

        return [d.name.removeprefix("/physical_device:") for d in tf.config.list_physical_devices()]
    if backend == "jax":
        import jax

        return [f"{d.platform}:{d.id}" for d in jax.devices()]
    import torch

    return ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
