"""Plot of an optimizer: its path down two surfaces, and that of the optimizer it wraps."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops
from matplotlib.colors import to_rgba

from docs.site.plots.arguments import code, make
from docs.site.plots.figure import FIRST, PALE, SECOND, THIRD, figure
from kcatalog.card import Part
from kcatalog.conformance import backend
from kcatalog.optimizers.wrappers.sharpness_aware import SharpnessAware
from kcatalog.registry import Entry

STEPS, FAR = 150, 1e3
# Where the example's arguments would change too little to be seen.
SHOWN = {
    "DecoupledWeightDecay": {"decay": 0.02},
    "MovingAverage": {"average_decay": 0.98},
    "ProximalRegularization": {"factor": 0.5, "groups": "weights"},
}


@dataclass(frozen=True)
class Trial:
    """Settings that show what some wrappers are for.

    noise: the standard deviation of Gaussian noise in the gradients.
    nan_period: after how many steps a gradient is NaN; 0 for never.
    layers: 1, or 2 for a layer for each of the two weights.
    """

    noise: float = 0.0
    nan_period: int = 0
    layers: int = 1


@dataclass
class Surface:
    """A function of two weights, its minimum and where a path begins."""

    title: str
    value: Callable
    gradient: Callable
    start: tuple[float, float]
    lowest: tuple[float, float]
    ends: tuple[tuple[float, float], tuple[float, float]]


def _valley(x, y):
    return (x - 1) ** 2 / 2 + 6 * (y - 1) ** 2


def _bend(x, y):
    return ((1 - x) ** 2 + 2 * (y - x**2) ** 2) / 2


VALLEY = Surface(
    "a narrow valley",
    _valley,
    lambda x, y: (x - 1, 12 * (y - 1)),
    (-1.0, 0.4),
    (1.0, 1.0),
    ((-2.0, 1.8), (0.1, 1.9)),
)
BEND = Surface(
    "Rosenbrock's bent valley",
    _bend,
    lambda x, y: (x - 1 - 4 * x * (y - x**2), 2 * (y - x**2)),
    (-1.2, 0.4),
    (1.0, 1.0),
    ((-1.6, 1.6), (-1.0, 1.8)),
)

SURFACES = (VALLEY, BEND)


def optimizer(entry: Entry) -> bytes:
    """Draw the path of two weights, the inputs of one unit, from a start towards a minimum."""
    more, inner = SHOWN.get(entry.name, {}), entry.card.example.args.get("inner")
    trial = Trial(
        noise=0.6 * ("averages-weights" in entry.card.tags),
        nan_period=10 if entry.name == "SkipNonFinite" else 0,
        layers=1 + (entry.name == "LayerwiseDecay"),
    )
    beside = " and, dashed, those of the optimizer inside" if inner else ""
    notes = {
        f"the gradients have noise of standard deviation {trial.noise}": trial.noise,
        "the star is where the weights are put when training ends": trial.noise,
        "every tenth gradient is NaN, which ends the dashed path": trial.nan_period,
        "each weight is a layer": trial.layers > 1,
    }
    first = f"The first {STEPS} steps of {code(entry, **more)} on two surfaces{beside}"
    caption = "; ".join([first, *(note for note, holds in notes.items() if holds)])
    paths, inner_paths = descend(make(entry, **more), trial), _of_inner(inner, trial)
    with figure(2, f"{caption}.") as (all_axes, out):
        for axes, surface, path, inside in zip(all_axes, SURFACES, paths, inner_paths, strict=True):
            _draw_surface(axes, surface)
            pale = 0.4 if trial.noise else 1.0  # so that the star is seen
            *steps, end = path
            axes.plot(*np.array(steps).T, ".-", color=FIRST, markersize=3, linewidth=1, alpha=pale)
            axes.plot(*np.array(inside[:-1]).T, "--", color=SECOND, linewidth=1, alpha=pale)
            if trial.noise:
                axes.plot(*end, "*", color=THIRD, markersize=14)
    return out.getvalue()


def _draw_surface(axes, surface):
    x, y = (np.linspace(*ends, 40) for ends in surface.ends)
    height = np.sqrt(surface.value(*np.meshgrid(x, y)))
    axes.contour(x, y, height, 9, colors=[to_rgba(PALE, 0.5)], linewidths=0.7)
    axes.plot(*surface.start, "o", color=PALE, markersize=5)
    axes.plot(*surface.lowest, "x", color=PALE, markersize=7)
    axes.set(xlim=surface.ends[0], ylim=surface.ends[1], title=surface.title)
    axes.set(xlabel="first weight", ylabel="second weight" if surface is VALLEY else "")


@functools.cache
def _inner_paths(code, trial):
    return descend(_INNER[code].build(), trial)


_INNER: dict[str, Part] = {}  # by its code: wrappers mostly have the same one


def _of_inner(inner, trial):
    """Return the paths of the optimizer inside, of no steps if there is none."""
    if inner is None:
        return [np.empty((1, 2))] * len(SURFACES)
    _INNER[repr(inner)] = inner
    return _inner_paths(repr(inner), trial)


def descend(part, trial: Trial) -> list[list[np.ndarray]]:
    """Return a path for each surface: the weights at each step, and when training has ended."""
    shape = (2 // trial.layers, 1)
    kernels = []
    for i in range(trial.layers):
        with keras.name_scope(f"layer_{i}"):
            kernels.append(keras.Variable(np.zeros(shape, "float32"), name="kernel"))
    part.build(kernels)
    first = [backend.as_numpy(v) for v in part.variables]
    step = backend.compiled(lambda *gradients: part.apply(gradients, kernels))
    paths = []
    for surface in SURFACES:
        for v, value in zip(part.variables, first, strict=True):
            v.assign(value)
        for kernel, value in zip(
            kernels, np.split(np.float32(surface.start), trial.layers), strict=True
        ):
            kernel.assign(value.reshape(shape))
        paths.append(list(_walk(part, step, kernels, surface, trial)))
    return paths


def _walk(part, step, kernels, surface, trial):
    """Yield the weights at each step, and when training has ended."""
    rng, every = np.random.default_rng(0), getattr(part, "batches_per_step", 1)

    def weights(tensors):
        return np.concatenate([backend.as_numpy(w).ravel() for w in tensors])

    for t in range(STEPS * every):
        w = weights(kernels)
        if t % every == 0:
            yield w
        if not np.all(np.abs(w) < FAR):
            break  # it diverges, or has become NaN
        noise = trial.noise * rng.normal(size=2)
        bad = trial.nan_period and t % trial.nan_period == trial.nan_period - 1

        def gradients(w, noise=np.nan if bad else noise):
            g = np.float32(np.array(surface.gradient(*w.astype("float64"))) + noise)
            return [
                ops.convert_to_tensor(part.reshape(kernels[0].shape))
                for part in np.split(g, len(kernels))
            ]

        g, second = gradients(w), nullcontext()
        if isinstance(part, SharpnessAware):
            g, second = gradients(weights(part.perturbed(g, kernels))), part.second_gradients()
        with second:
            step(*g)
    part.finalize_variable_values(kernels)
    yield weights(kernels)
