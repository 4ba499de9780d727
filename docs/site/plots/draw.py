"""Draws the plots: one function for each kind of part.

Layers have their default arguments, other parts those of their card's example.

A plot is drawn anew if the part, this folder or a version of what draws it changed.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import keras
import matplotlib as mpl

from docs.site.build import PLOTS
from docs.site.plots import curves, projection, sampler
from kcatalog import registry
from kcatalog.atomic import atomic_write
from kcatalog.card import build_args

OF_KIND = {
    "constraints": projection.constraint,
    "samplers": sampler.batches,
    "schedules": curves.schedule,
}
OF_FAMILY = {"activations": curves.activation}  # of layers


def function_for(entry: registry.Entry):
    """Return the function that draws a part, or None."""
    if entry.kind == "layers":
        return OF_FAMILY.get(Path(entry.file).parent.name)
    return OF_KIND.get(entry.kind)


def draw(entry: registry.Entry) -> bytes:
    """Return a part's plot as SVG."""
    keras.utils.set_random_seed(0)
    arguments = {} if entry.kind == "layers" else build_args(entry.card.example.args)
    part = entry.load()(**arguments)
    return function_for(entry)(part, entry)


def _state(entry: registry.Entry) -> bytes:
    """Return a comment that is another one if what a plot depends on changed."""
    files = [Path(entry.file), *sorted(Path(__file__).parent.glob("*.py"))]
    text = f"{keras.__version__} {mpl.__version__}".encode()
    digest = hashlib.sha256(text + b"".join(f.read_bytes() for f in files)).hexdigest()
    return f"<!-- {digest} -->\n".encode()


def main() -> int:
    """Draw what is missing or out of date."""
    for entry in registry.find(origin="kcatalog"):
        if function_for(entry) is None:
            continue
        file, state = PLOTS / entry.kind / f"{entry.name}.svg", _state(entry)
        if not file.is_file() or not file.read_bytes().endswith(state):
            drawn = draw(entry) + state
            with atomic_write(file) as unfinished:
                unfinished.write_bytes(drawn)
            print(file)
    return 0
