"""Draws the plots: one function for each kind of part.

A plot is drawn anew if the part, this folder or a version of what draws it changed.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import keras
import matplotlib as mpl

from docs.site.build import PLOTS
from docs.site.plots import (
    ball,
    curves,
    descent,
    losses,
    mask,
    projection,
    recurrence,
    sampler,
    shift,
    toy_sets,
)
from kcatalog import registry
from kcatalog.atomic import atomic_write

OF_KIND = {
    "constraints": projection.constraint,
    "losses": losses.loss,
    "metrics": toy_sets.metric,
    "optimizers": descent.optimizer,
    "regularizers": ball.regularizer,
    "samplers": sampler.batches,
    "schedules": curves.schedule,
}
OF_FAMILY = {  # of layers
    "activations": curves.activation,
    "pooling": shift.pooling,
    "recurrent": recurrence.recurrent,
    "regularization": mask.mask,
}
# The page of decisions on the catalog says why.
UNDRAWN = ("kcatalog.layers.RDrop",)


def function_for(entry: registry.Entry):
    """Return the function that draws a part, or None."""
    if entry.path in UNDRAWN:
        return None
    if entry.kind == "layers":
        return OF_FAMILY.get(Path(entry.file).parent.name)
    return OF_KIND.get(entry.kind)


def draw(entry: registry.Entry) -> bytes:
    """Return a part's plot as SVG."""
    keras.utils.set_random_seed(0)
    return function_for(entry)(entry)


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
