"""Pictures of regressions: predicted against true values, and residuals."""

from __future__ import annotations

from kcatalog.recipe import tasks
from kcatalog.recipe.monitoring.pictures import figures
from kcatalog.recipe.monitoring.pictures.predictions import Predictions
from kcatalog.recipe.tasks.regression import columns, labelled

MOST_DRAWN = 4  # targets in a picture


def predicted_and_true(p: Predictions):
    """Draw predicted over true values, one target beside the other."""

    def draw(axes, y, found, label):
        axes.plot(y, found, ".", color=figures.MODEL, alpha=0.5, markersize=4)
        ends = min(y.min(), found.min()), max(y.max(), found.max())
        axes.plot(ends, ends, "--", color=figures.TRUTH, linewidth=0.8)
        axes.set(xlabel=f"true {label}", ylabel=f"predicted {label}")

    return _by_target(p, draw)


def residuals(p: Predictions):
    """Draw the residuals, predicted minus true, over the predicted values."""

    def draw(axes, y, found, label):
        axes.plot(found, found - y, ".", color=figures.MODEL, alpha=0.5, markersize=4)
        axes.axhline(0, color=figures.TRUTH, linestyle="--", linewidth=0.8)
        axes.set(xlabel=f"predicted {label}", ylabel="residual (predicted - true)")

    return _by_target(p, draw)


def _by_target(p: Predictions, draw):
    y, found, task = columns(p.samples[1]), columns(p.outputs), tasks.of(p.data)
    count, details = y.shape[1], p.data.details
    shown = min(count, MOST_DRAWN)
    names = zip(task.names(details, count), task.units_of(details, count), strict=True)
    drawn = figures.figure(4 * shown, 4)
    for i, (axes, (name, unit)) in enumerate(
        zip(drawn.subplots(1, shown, squeeze=False)[0], names, strict=False)
    ):
        draw(axes, y[:, i], found[:, i], figures.plain(labelled(name, unit)))
    return drawn
