"""Pictures of regressions: predicted against true values, and residuals."""

from __future__ import annotations

from kcatalog.recipe import tasks
from kcatalog.recipe.monitoring.pictures import figures
from kcatalog.recipe.monitoring.pictures.predictions import Predictions
from kcatalog.recipe.tasks.regression import columns, labelled

MOST_DRAWN = 4  # targets in a picture


def predicted_and_true(p: Predictions):
    """Draw true over predicted values, one target beside the other."""
    return _by_target(p, "actual_vs_predicted", "true {}")


def residuals(p: Predictions):
    """Draw the residuals, true minus predicted, over the predicted values."""
    return _by_target(p, "residual_vs_predicted", "residual (true - predicted)")


def _by_target(p: Predictions, kind: str, ylabel: str):
    from sklearn.metrics import PredictionErrorDisplay

    y, found, task = columns(p.samples[1]), columns(p.outputs), tasks.of(p.data)
    count, details = y.shape[1], p.data.details
    shown = min(count, MOST_DRAWN)
    names = zip(task.names(details, count), task.units_of(details, count), strict=True)
    drawn = figures.figure(4 * shown, 4)
    for i, (axes, (name, unit)) in enumerate(
        zip(drawn.subplots(1, shown, squeeze=False)[0], names, strict=False)
    ):
        PredictionErrorDisplay.from_predictions(
            y[:, i],
            found[:, i],
            kind=kind,
            ax=axes,
            scatter_kwargs={"color": figures.MODEL, "alpha": 0.5, "s": 8},
        )
        label = figures.plain(labelled(name, unit))
        axes.set(xlabel=f"predicted {label}", ylabel=ylabel.format(label))
    return drawn
