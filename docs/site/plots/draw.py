"""Draws the plots: one function for each kind of part.

A plot is drawn anew if a module that it uses or a version of what draws it changed.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import sys
from pathlib import Path
from types import ModuleType

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
from kcatalog import KINDS, registry
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
# Packages of which a plot may show a change.
SHOWN = (f"{__package__}.", *(f"kcatalog.{folder}." for folder in ("ops", *KINDS)))


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
    modules = used(function_for(entry).__module__) | used(entry.load().__module__)
    sources = [keras.__version__, mpl.__version__, *map(_source, sorted(modules))]
    return f"<!-- {hashlib.sha256(''.join(sources).encode()).hexdigest()} -->\n".encode()


def used(name: str) -> set[str]:
    """Return a module and those of `SHOWN` whose functions and classes it uses, at any depth."""
    found = [name]
    for module in found:
        for value in vars(sys.modules[module]).values():
            is_module = isinstance(value, ModuleType)
            other = value.__name__ if is_module else getattr(value, "__module__", None)
            if str(other).startswith(SHOWN) and other not in found:
                found.append(other)
    return set(found)


@functools.cache
def _source(module: str) -> str:
    return inspect.getsource(sys.modules[module])


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
