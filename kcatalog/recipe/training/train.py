"""Train with Keras's `fit`, checkpoints, and the best weights by validation."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import keras
from rich.console import Console

from kcatalog.recipe import monitoring, tasks
from kcatalog.recipe.feed import pipeline
from kcatalog.recipe.feed.input_stalls import Waiting
from kcatalog.recipe.files import keras_file
from kcatalog.recipe.monitoring import parts
from kcatalog.recipe.monitoring.events import EventFile
from kcatalog.recipe.monitoring.profile import Profile
from kcatalog.recipe.tasks import batches_of
from kcatalog.recipe.training import loss_switch
from kcatalog.recipe.training.checkpoint import Checkpoint
from kcatalog.recipe.training.progress import Progress


@dataclass(frozen=True)
class Plan:
    """The settings of a training, from the recipe and the options."""

    objective: str
    epochs: int
    batch_size: int
    seed: int
    shard: tuple[int, int] = (0, 1)  # index of this host, number of hosts
    watch: bool = False  # log statistics of all layers every epoch
    profile: tuple[int, int] | None = None  # the first and last step to profile


def train(build, hp, data, plan: Plan, run, console: Console, callbacks=()) -> None:
    """Train, and write `model.keras` and `training.json` to the run directory.

    Training continues from the newest checkpoint if there is one. The model is then the same as
    without the interruption: an epoch depends on nothing but the state before it and the seed.
    """

    def warn(message: str) -> None:
        console.print(message, style="yellow", highlight=False)

    keras.utils.set_random_seed(plan.seed)
    model = build(hp)
    batches = batches_of(data, hp, plan.batch_size, plan.seed, plan.shard)
    unsharded = batches_of(data, hp, plan.batch_size, plan.seed)
    checkpoint = Checkpoint(run.checkpoints, plan.objective)
    start = checkpoint.resume(model)
    for error in checkpoint.damaged:
        warn(f"{error} Set aside.")
    if start:
        console.print(f"Resuming after epoch {start}.", highlight=False)
    watch = plan.watch or plan.shard[1] > 1  # hosts would decide differently
    watching = monitoring.training_callbacks(run.logs, data, plan.epochs, unsharded, watch)
    if plan.profile:
        watching.append(Profile(run.logs / "training" / "profile", plan.profile, console.print))
    with contextlib.ExitStack() as stack:
        progress = []
        if console.is_terminal and not console.quiet:
            shown = Progress(console, plan.epochs, len(batches), checkpoint)
            progress.append(stack.enter_context(shown))
        pipeline.fit(
            model,
            data,
            batches,
            epochs=plan.epochs,
            initial_epoch=start,
            callbacks=[
                *tasks.of(data).validation_callbacks(data),
                *loss_switch.callbacks(model),
                keras.callbacks.TerminateOnNaN(),
                *watching,
                checkpoint,
                *callbacks,
                *progress,
            ],
            waiting=Waiting(EventFile(run.logs / "training" / "pipeline"), warn),
            verbose=0 if console.quiet or progress else 2,
        )
    if sentence := monitoring.measured_once(watching):
        console.print(sentence, highlight=False)
    checkpoint.keep_best(model, lambda: tasks.validation_logs(model, data))
    if checkpoint.diverged_in is not None:
        warn(
            f"The loss was not finite in epoch {checkpoint.diverged_in + 1}, so training stopped. "
            f"Kept the weights of epoch {checkpoint.best_epoch + 1}."
        )
    run.write(
        "training.json",
        {
            "epochs": len(checkpoint.history),
            "best_epoch": checkpoint.best_epoch + 1,
            "averaged_weights": checkpoint.averaged,
            "diverged_in_epoch": checkpoint.diverged_in and checkpoint.diverged_in + 1,
            "parts": parts.used_in(model),
            "history": checkpoint.history,
        },
    )
    keras_file.save(model, run.model)  # last: a run with a model counts as trained
