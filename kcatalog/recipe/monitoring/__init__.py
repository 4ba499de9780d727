"""TensorBoard logs of trainings, tests and searches.

curves       of loss and metrics, here
pictures/    predictions, mistakes, calibration, attention and others
statistics   step sizes, gradients and activations by layer: `kcatalog.callbacks`
weights.py   histograms of the weights
graph.py     the model's layers
hparams.py   trials side by side
profile.py   the profiler
projector.py embeddings in space
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import keras

from kcatalog.callbacks import ActivationStatistics, GradientFlow, StepSize
from kcatalog.recipe import tasks
from kcatalog.recipe.monitoring import hparams, pictures
from kcatalog.recipe.monitoring.events import CURVES, SCORES, EventFile
from kcatalog.recipe.monitoring.graph import Graph
from kcatalog.recipe.monitoring.hparams import active as active
from kcatalog.recipe.monitoring.pictures.callback import Pictures
from kcatalog.recipe.monitoring.weights import WeightHistograms

# What is measured, and the share of the training time that it may take. The rest of 3 % is for
# curves and histograms.
MEASURED = {
    Pictures: ("pictures of the validation split", 0.008),
    StepSize: ("step sizes", 0.003),
    ActivationStatistics: ("activations", 0.006),
    GradientFlow: ("gradients", 0.008),
}
MEASUREMENTS = 30  # a training


class Curves(keras.callbacks.Callback):
    """The loss and the metrics of each epoch.

    Keras's TensorBoard callback, which names them otherwise, takes half a millisecond for each
    batch, too, and is redirected by KerasTuner.
    """

    def __init__(self, log_dir: Path):
        super().__init__()
        self.train, self.validation = (EventFile(log_dir / s) for s in ("train", "validation"))

    def on_epoch_end(self, epoch: int, logs: dict[Any, Any] | None = None) -> None:
        from tensorboard.plugins.scalar.summary_v2 import scalar_pb

        for name, value in (logs or {}).items():
            events = self.validation if name.startswith("val_") else self.train
            events.write(scalar_pb(CURVES + name.removeprefix("val_"), float(value)), epoch)

    def on_train_end(self, logs: dict[Any, Any] | None = None) -> None:
        self.train.close()
        self.validation.close()


def write_test(
    log_dir: Path, predictions: pictures.Predictions, model, scores: dict[str, float]
) -> None:
    """Write the test split's scores and pictures."""
    from tensorboard.plugins.scalar.summary_v2 import scalar_pb

    with contextlib.closing(EventFile(log_dir / "test")) as events:
        pictures.write(events, predictions, model=model)
        for name, value in scores.items():
            events.write(scalar_pb(f"{SCORES}{name}", value))


def trial_callbacks(log_dir: Path, trial, objective: str, data, epochs: int, batches) -> list[Any]:
    """Return callbacks for one trial's curves, statistics, graph and row in the HParams tab."""
    folder = log_dir / "trials" / trial.trial_id
    return [
        Curves(folder),
        Graph(folder / "train"),
        hparams.Trial(folder, trial, objective),
        *statistics(folder, data, epochs, batches),
    ]


def training_callbacks(log_dir: Path, data, epochs: int, batches, watch: bool = False) -> list[Any]:
    """Return callbacks for the training's curves, pictures, histograms, statistics and graph."""
    folder = log_dir / "training"
    drawn = [Pictures(folder, data, epochs, _share(Pictures, watch))] if pictures.of(data) else []
    return [
        Curves(folder),
        Graph(folder / "train"),
        *drawn,
        WeightHistograms(folder / "weights", epochs),
        *statistics(folder, data, epochs, batches, watch, at_least_once=True),
    ]


def statistics(
    folder: Path, data, epochs: int, batches, watch: bool = False, at_least_once: bool = False
) -> list[Any]:
    """Return callbacks for step sizes, activations and gradients of every layer.

    Args:
        folder: the event files' folder.
        data: what the model is trained on.
        epochs: of the whole run.
        batches: of the training split.
        watch: measure about thirty times a training, however long that takes.
        at_least_once: measure the last step if time allowed no other measurement.
    """
    task = tasks.of(data)
    probe = task.probe(data, batches)

    def options(part, name: str) -> dict[Any, Any]:
        return {
            "log_dir": str(folder / name),
            "every_steps": max(1, epochs * len(batches) // MEASUREMENTS),
            "max_share": _share(part, watch),
        }

    parts = [
        StepSize(**options(StepSize, "steps")),
        ActivationStatistics(probe, **options(ActivationStatistics, "activations")),
        GradientFlow(probe, vanishing=task.vanishing, **options(GradientFlow, "gradients")),
    ]
    for part in parts:
        part.at_least_once = at_least_once
    return parts


def _share(measuring: type, watch: bool) -> float:
    return 1.0 if watch else MEASURED[measuring][1]


def measured_once(callbacks: list[Any]) -> str | None:
    """Return a sentence that names what a short training logged only once, or None."""
    measuring = [c for c in callbacks if type(c) in MEASURED]
    once = [MEASURED[type(c)][0] for c in measuring if c.left_out and c.measured == 1]
    if not once:
        return None
    return (
        f"Logged only once: {', '.join(once)}. In a training this short, more would take over "
        "1 % of its time. Add --watch to log them throughout."
    )
