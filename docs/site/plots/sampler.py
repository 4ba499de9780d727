"""Plot of a sampler: the classes in its batches."""

from __future__ import annotations

import numpy as np

from docs.site.plots.arguments import make
from docs.site.plots.figure import figure
from kcatalog.registry import Entry


def batches(entry: Entry) -> bytes:
    """Draw the class of each sample of an epoch, a row for each batch."""
    part = make(entry)
    classes = np.array([part[i][1] for i in range(len(part))])
    ranks = np.unique(classes, return_inverse=True)[1].reshape(classes.shape)
    caption = "The class of each sample in an epoch of the sampler under *Construct it*."
    with figure(caption=caption) as ((axes,), out):
        axes.imshow(ranks, cmap="cividis", aspect="auto", vmin=-1, vmax=ranks.max() + 1)
        for (row, column), label in np.ndenumerate(classes):
            axes.text(column, row, label, ha="center", va="center", color="white")
        axes.set(xticks=[], yticks=range(len(classes)))
        axes.set_xlabel("class of each sample")
        axes.set_ylabel("batch")
    return out.getvalue()
