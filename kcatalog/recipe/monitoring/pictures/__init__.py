"""Pictures for TensorBoard, which tasks and kinds of inputs name.

A picture is a function of `Predictions`. It returns a matplotlib figure, text in Markdown, a
summary of TensorBoard's, or None if there is nothing to show.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

from kcatalog.recipe import tasks
from kcatalog.recipe.data import inputs
from kcatalog.recipe.monitoring.events import EventFile
from kcatalog.recipe.monitoring.pictures import (
    attention,
    classes,
    figures,
    forecast,
    regression,
    samples,
)
from kcatalog.recipe.monitoring.pictures.predictions import Predictions
from kcatalog.recipe.terminal.errors import RecipeError

Picture = Callable[[Predictions], object]


def _name(picture: Picture) -> str:
    return picture.__name__.replace("_", " ")


WHILE_TRAINING = (
    samples.sample_predictions,
    samples.worst_mistakes,
    samples.masks,
    classes.confusion_matrix,
    classes.confusion_of_tags,
    classes.table_of_worst_mistakes,
    classes.precision_and_recall,
    classes.f1_by_label,
    regression.predicted_and_true,
    regression.residuals,
)
AT_THE_END = (  # with the test split's scores: those that are worth drawing once
    classes.calibration,
    forecast.forecasts,
    forecast.errors_by_step_ahead,
    samples.frames,
    samples.spectrograms,
)
NAMED = {_name(picture): picture for picture in (*WHILE_TRAINING, *AT_THE_END)}


def of(data, at_the_end: bool = False) -> list[Picture]:
    """Return the pictures that the task and the kind of input name, or that a task brings."""
    found = []
    for asked in (*tasks.of(data).pictures, *inputs.kind(data.input_name).pictures):
        if not callable(asked) and asked not in NAMED:
            raise RecipeError(
                f"The task {str(data.task)!r} asks for the picture {asked!r}, which is none of "
                f"{', '.join(NAMED)}."
            )
        picture = NAMED.get(asked, asked)
        if at_the_end or picture not in AT_THE_END:
            found.append(picture)
    return found


def write(
    events: EventFile, p: Predictions, step: int = 0, model: keras.Model | None = None
) -> None:
    """Write the pictures that are drawn while training or, given the model, those of the end.

    Outputs that are not finite are not drawn.
    """
    if not np.isfinite(p.outputs).all():
        return
    drawn = [(_name(picture), picture(p)) for picture in of(p.data, at_the_end=model is not None)]
    if model is not None:
        drawn += [("class names", classes.names_by_number(p)), *attention.maps(p, model)]
    for name, shown in drawn:
        if shown is not None:
            events.write(_summary(name, shown), step)


def _summary(name: str, shown):
    """Return what a picture returned in TensorBoard's form."""
    from tensorboard.plugins.text.summary_v2 import text_pb

    if isinstance(shown, str):
        return text_pb(name, shown)
    return figures.summary(name, shown) if hasattr(shown, "savefig") else shown
