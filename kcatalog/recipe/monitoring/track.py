"""`--track`: the numbers of a run in MLflow or Weights & Biases, and a child run for each trial."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras

from kcatalog.recipe.files import run_toml
from kcatalog.recipe.files.rundir import Run
from kcatalog.recipe.terminal.errors import RecipeError, first_line

BATCH = 100  # parameters that MLflow takes at once
FOREIGN = re.compile(r"[^\w./ -]")  # characters that it does not allow in names of metrics


class Service:
    """A run in a service for experiments: `begin` begins or continues it and returns its id, and
    the other methods send to it.

    Args:
        recipe: names the experiment or project, unless the service's own variable does.
        folder: the run's directory.
        name: names the run there.
        known: its id there, if an earlier command has begun it.
        parent: the id of the run that this one is a trial of.
    """

    def __init__(
        self,
        recipe: str,
        folder: Path,
        name: str,
        known: str | None = None,
        parent: str | None = None,
    ):
        self._recipe, self._folder = recipe, folder
        self.id = self.begin(recipe, name, known, parent)

    def trial(
        self, trial_id: str, values: dict[Any, Any], parts: list[list[dict[str, float]]]
    ) -> None:
        """Send a trial that has ended: hyperparameters, and what the epochs of its folds report."""
        child = type(self)(self._recipe, self._folder, f"trial {trial_id}", parent=self.id)
        child.parameters(values)
        folds = [f"fold_{i}/" for i in range(1, len(parts) + 1)] if len(parts) > 1 else [""]
        for epoch, logs in enumerate(zip(*parts, strict=False)):
            each = zip(folds, logs, strict=True)
            child.metrics({f + name: v for f, log in each for name, v in log.items()}, epoch)
        child.close()


class MLflow(Service):
    """A run in MLflow. `MLFLOW_TRACKING_URI` and `MLFLOW_EXPERIMENT_NAME` say where."""

    def begin(self, recipe, name, known, parent):
        import mlflow

        self._client = mlflow.MlflowClient()
        if known:
            self._client.update_run(known, "RUNNING")
            return known
        title = os.environ.get("MLFLOW_EXPERIMENT_NAME", recipe)
        found = self._client.get_experiment_by_name(title)
        experiment = found.experiment_id if found else self._client.create_experiment(title)
        tags = {"mlflow.runName": name} | ({"mlflow.parentRunId": parent} if parent else {})
        return self._client.create_run(experiment, tags=tags).info.run_id

    def parameters(self, values):
        from mlflow.entities import Param

        found = [Param(name, str(value)) for name, value in values.items()]
        for i in range(0, len(found), BATCH):
            self._client.log_batch(self.id, params=found[i : i + BATCH])

    def metrics(self, values, epoch):
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        found = [Metric(FOREIGN.sub("_", n), v, now, epoch) for n, v in values.items()]
        self._client.log_batch(self.id, metrics=found)

    def scores(self, values):
        self.metrics(values, 0)

    def file(self, file):
        self._client.log_artifact(self.id, str(file))

    def close(self, failed=False):
        self._client.set_terminated(self.id, "FAILED" if failed else "FINISHED")


class WandB(Service):
    """A run in Weights & Biases. With `WANDB_MODE=offline` it stays in the run's directory, from
    where `wandb sync` sends it."""

    def begin(self, recipe, name, known, parent):
        import wandb

        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", recipe),
            dir=str(self._folder),
            id=known,
            name=name,
            group=parent,
            resume="allow",
            reinit="create_new",
            settings=wandb.Settings(silent=parent is not None),  # one link a run is enough
        )
        return self._run.id

    def parameters(self, values):
        self._run.config.update(values, allow_val_change=True)

    def metrics(self, values, epoch):
        self._run.log(values, step=epoch)

    def scores(self, values):
        self._run.summary.update(values)

    def file(self, file):
        shutil.copy(file, self._run.dir)  # sent with the run; its `save` prints a warning each time

    def close(self, failed=False):
        self._run.finish(exit_code=int(failed))


SERVICES = {"mlflow": MLflow, "wandb": WandB}
INSTALL = {
    "mlflow": 'pip install "kcatalog[mlflow]"',
    "wandb": 'pip install "kcatalog[wandb]"',
}


class Tracking:
    """The way of a run's numbers to a service, if there is one. Its errors do not end the run."""

    def __init__(self, service: Service | None = None, say: Callable[[str], None] = print):
        self._service, self._say = service, say

    def send(self, method: str, *arguments) -> None:
        """Call a method of the service. After an error, nothing more is sent."""
        if self._service is None:
            return
        try:
            getattr(self._service, method)(*arguments)
        except Exception as e:  # each service has errors of its own
            self._service = None
            self._say(f"Tracking has ended, and the run goes on: {_sentence(e)}")

    def callbacks(self) -> list[keras.callbacks.Callback]:
        """Return the callback that sends what each epoch reports."""

        def send(epoch: int, logs: dict[Any, Any]) -> None:
            self.send("metrics", {name: float(value) for name, value in logs.items()}, epoch)

        return [keras.callbacks.LambdaCallback(on_epoch_end=send)] if self._service else []


def check(kind: str | None) -> None:
    """Refuse a service whose package is not installed."""
    if kind and importlib.util.find_spec(kind) is None:
        raise RecipeError(
            f"--track {kind} needs the package {kind}, which is not installed. Install it with: "
            f"{INSTALL[kind]}"
        )


@contextlib.contextmanager
def tracked(kind: str | None, run: Run, say: Callable[[str], None]) -> Iterator[Tracking]:
    """Track what happens to a run inside, in the service of this name; in none for None.

    The run keeps its id there, so that a later command adds to the same one.
    """
    if kind is None:
        yield Tracking()
        return
    recipe, known = run.facts["recipe"], run.facts.get("tracked", {})
    try:
        name = f"{recipe}/{run.path.name}"
        service = SERVICES[kind](recipe, run.path, name, known.get(kind))
    except Exception as e:
        raise RecipeError(
            f"--track {kind}: the run cannot be tracked: {_sentence(e)} Correct this, or leave out "
            "--track."
        ) from e
    tracking, failed = Tracking(service, say), True
    run.update(tracked={**known, kind: service.id})
    try:
        yield tracking
        failed = False
    finally:
        tracking.send("file", run.path / run_toml.NAME)
        tracking.send("close", failed)


def _sentence(error: Exception) -> str:
    """Return an error's first line as a sentence."""
    return f"{first_line(error).rstrip('.')}."
