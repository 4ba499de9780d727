"""Plot of a regularizer: level sets of its penalty on planes of two numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from keras import ops
from matplotlib.colors import ListedColormap, to_rgba

from docs.site.plots.arguments import code, make
from docs.site.plots.figure import FIRST, figure
from kcatalog.conformance import backend
from kcatalog.registry import Entry

POINTS, LEVELS = 41, 8
SHADES = ListedColormap([to_rgba(FIRST, 0.06 + 0.5 * i / LEVELS) for i in range(LEVELS + 1)])


@dataclass
class Plane:
    """Two numbers among all that a regularizer is given; the others stay as they are in `base`."""

    title: str
    base: np.ndarray
    first: tuple
    second: tuple
    ends: tuple[float, float] = (-2, 2)


ZEROS = np.zeros((2, 2))
KERNEL = [
    Plane("two weights of one unit", ZEROS, (0, 0), (1, 0)),
    Plane("one weight of each of two units", ZEROS, (0, 0), (1, 1)),
]
# The second of two vectors moves; with two others that stay, in the second plane.
THREE = np.array([[2.0, 0.0], [0.0, 0.0], [-1.0, 1.5]])
VECTORS = [
    Plane("a vector beside (2, 0)", THREE[:2], (1, 0), (1, 1)),
    Plane("and beside (-1, 1.5)", THREE, (1, 0), (1, 1)),
]
CENTERS = [Plane(p.title, p.base[None], (0, *p.first), (0, *p.second)) for p in VECTORS]
STEPS = np.zeros((1, 3, 1))
PLANES = {
    "ActivationNorm": [Plane("two outputs of a sample", np.zeros((1, 2)), (0, 0), (0, 1))],
    "ConfidencePenalty": [
        Plane("logits of two classes", np.zeros((1, 2)), (0, 0), (0, 1), (-4, 4)),
        Plane("and a third of 0", np.zeros((1, 3)), (0, 0), (0, 1), (-4, 4)),
    ],
    "Decorrelation": [
        Plane("beside a sample at (0, 0)", np.zeros((2, 2)), (0, 0), (0, 1)),
        Plane("and one at (2, 1)", np.array([[0, 0], [0, 0], [2, 1]]), (0, 0), (0, 1)),
    ],
    "KLSparsity": [
        Plane("mean outputs of two units", np.zeros((1, 2)), (0, 0), (0, 1), (0.002, 0.4))
    ],
    "RegularFace": VECTORS,
    "SparseCenters": CENTERS,
    "TemporalActivation": [
        Plane("two steps", np.zeros((1, 2, 1)), (0, 0, 0), (0, 1, 0)),
        Plane("and a third step of 0", STEPS, (0, 0, 0), (0, 1, 0)),
    ],
    "TotalVariation": [
        Plane("two weights in a row", np.zeros((1, 2)), (0, 0), (0, 1)),
        Plane("and a zero on each side", np.zeros((1, 4)), (0, 1), (0, 2)),
    ],
}


def regularizer(entry: Entry) -> bytes:
    """Draw where the penalty is equal, with a factor of 1."""
    planes, factor = PLANES.get(entry.name, KERNEL), {"factor": 1.0}
    part = make(entry, **factor)
    two = "outputs" if "activity" in entry.card.tags else "weights"
    caption = f"Level sets of {code(entry, **factor)} on planes of two {two}"
    caption = f"{caption}; others are 0 or as a title says. A deeper blue is a larger penalty."
    with figure(len(planes), caption) as (all_axes, out):
        for plane, axes in zip(planes, all_axes, strict=True):
            line = np.linspace(*plane.ends, POINTS)
            found = penalties(part, plane, line)
            steps = np.linspace(0, 1, LEVELS + 1) ** 2  # closer where the penalty is small
            levels = found.min() + steps * (np.ptp(found) + 1e-6)
            axes.contourf(line, line, found, levels, cmap=SHADES)
            axes.contour(
                line, line, found, levels[1:], colors=FIRST, linewidths=0.8, linestyles="solid"
            )
            axes.set_aspect("equal")
            axes.set_title(plane.title, fontsize=9)
    return out.getvalue()


def penalties(part, plane: Plane, line) -> np.ndarray:
    """Return the penalty at each point of a plane, a row for each second number."""
    first, second = np.meshgrid(line, line)
    w = np.broadcast_to(plane.base, (first.size, *plane.base.shape)).astype("float32")
    w[(slice(None), *plane.first)], w[(slice(None), *plane.second)] = first.flat, second.flat
    found = ops.vectorized_map(lambda w: ops.reshape(part(w), ()), ops.convert_to_tensor(w))
    return backend.as_numpy(found).reshape(first.shape)
