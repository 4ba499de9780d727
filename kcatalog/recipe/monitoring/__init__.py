"""What TensorBoard shows of a training, a test and a search.

curves       Keras's own, here
pictures/    what the model takes for what
statistics   step sizes, gradients and activations of every layer: `kcatalog.callbacks`
weights.py   their histograms
graph.py     the model's layers
hparams.py   trials side by side
profile.py   where the time goes
projector.py embeddings in space
"""

from __future__ import annotations

from pathlib import Path

import keras

from kcatalog.callbacks import ActivationStatistics, GradientFlow, StepSize
from kcatalog.recipe import tasks
from kcatalog.recipe.monitoring import hparams, pictures
from kcatalog.recipe.monitoring.graph import Graph
from kcatalog.recipe.monitoring.hparams import active as active
from kcatalog.recipe.monitoring.pictures.callback import Pictures
from kcatalog.recipe.monitoring.weights import WeightHistograms

# What measuring may take of the time of training. The rest of 3 % is for curves and histograms.
SHARES = {StepSize: 0.003, ActivationStatistics: 0.006, GradientFlow: 0.008, Pictures: 0.008}
MEASUREMENTS = 30  # a training


class Curves(keras.callbacks.TensorBoard):
    """Keras's TensorBoard callback, kept to the curves of epochs.

    It has a name of its own because KerasTuner redirects callbacks called `TensorBoard`, and
    does so under the TensorFlow backend only.
    """

    def __init__(self, log_dir: Path):
        super().__init__(str(log_dir), write_graph=False)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Nothing: Keras's would hand each step's metrics to a writer that drops them, half a
        millisecond a step."""


def write_test(
    log_dir: Path, predictions: pictures.Predictions, model, scores: dict[str, float]
) -> None:
    """How the test split went: scores and pictures."""
    import tensorflow as tf

    writer = pictures.writer(log_dir / "test")
    pictures.at_the_end(writer, predictions, model)
    with tf.device("CPU:0"), writer.as_default():
        for name, value in scores.items():
            tf.summary.scalar(name, value, step=0)
    writer.close()


def trial_callbacks(log_dir: Path, trial, objective: str, data, epochs: int, batches) -> list:
    """Curves and statistics of one trial, and its hyperparameters for the HParams tab."""
    folder = log_dir / "trials" / trial.trial_id
    return [
        Curves(folder),
        Graph(folder / "train"),
        hparams.Trial(folder, trial, objective),
        *statistics(folder, data, epochs, batches),
    ]


def training_callbacks(log_dir: Path, data, epochs: int, batches, watch: bool = False) -> list:
    """Curves, pictures, statistics and the graph of the training itself."""
    folder = log_dir / "training"
    return [
        Curves(folder),
        Graph(folder / "train"),
        *Pictures.of(folder, data, epochs, 1.0 if watch else SHARES[Pictures]),
        WeightHistograms(folder / "weights", epochs),
        *statistics(folder, data, epochs, batches, watch),
    ]


def statistics(folder: Path, data, epochs: int, batches, watch: bool = False) -> list:
    """Step sizes, activations and gradients of every layer, some thirty times a training.

    A training too short to pay for them goes without, unless `watch` says they are wanted.
    """
    task = tasks.of(data)
    probe = task.probe(data, batches)

    def how(part, name: str) -> dict:
        return {
            "log_dir": str(folder / name),
            "every_steps": max(1, epochs * len(batches) // MEASUREMENTS),
            "max_share": 1.0 if watch else SHARES[part],
        }

    return [
        StepSize(**how(StepSize, "steps")),
        ActivationStatistics(probe, **how(ActivationStatistics, "activations")),
        GradientFlow(probe, vanishing=task.vanishing, **how(GradientFlow, "gradients")),
    ]


def left_out(callbacks: list) -> str | None:
    """A sentence on what was not measured, where a training was too short to pay for it."""
    missing = {
        ActivationStatistics: "activations",
        GradientFlow: "gradients",
        StepSize: "step sizes",
        Pictures: "pictures of the validation split",
    }
    names = [missing[type(c)] for c in callbacks if type(c) in missing and not c.measured]
    if not names:
        return None
    return (
        f"Not logged: {', '.join(names)}. In a training this short they would take more than a "
        "hundredth of its time. Add --watch to have them."
    )
