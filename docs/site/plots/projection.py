"""Plot of a constraint: where it takes the points of a plane."""

from __future__ import annotations

import numpy as np
from keras import ops

from docs.site.plots.arguments import code, make
from docs.site.plots.figure import PALE, SECOND, figure
from kcatalog.registry import Entry

LINE = np.linspace(-2, 2, 9)


def constraint(entry: Entry) -> bytes:
    """Draw an arrow from each point of a grid to its projection.

    The plane is that of the first two entries of a weight. Of a matrix whose singular values are
    constrained, it is that of the two entries on its diagonal.
    """
    part = make(entry)
    diagonal = "W" in entry.equation
    places = ([0, 1], [0, 1]) if diagonal else ([0, 0], [0, 1])
    before = np.array([(a, b) for a in LINE for b in LINE])
    after = []
    for point in before:
        w = np.zeros((2, 2), "float32")
        w[places] = point
        after.append(ops.convert_to_numpy(part(ops.convert_to_tensor(w)))[places])
    after = np.array(after)
    way = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 3e-3}
    caption = f"Where {code(entry)} puts the points of a grid: an arrow leads to each dot."
    with figure(caption=caption) as ((axes,), out):
        axes.quiver(*before.T, *(after - before).T, color=PALE, **way)
        axes.plot(*after.T, ".", color=SECOND)
        axes.set_aspect("equal")
        axes.set_xlabel("first singular value, signed" if diagonal else "first weight")
        axes.set_ylabel("second singular value, signed" if diagonal else "second weight")
    return out.getvalue()
