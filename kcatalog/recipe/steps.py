"""The steps from data to a served model, each leaving its result in the run directory."""

from __future__ import annotations

import contextlib
import inspect
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from rich.console import Console

from kcatalog.recipe import devices, export, hyperparameters, monitoring, rundir, serving, tasks
from kcatalog.recipe.batches import evaluation_size
from kcatalog.recipe.errors import RecipeError
from kcatalog.recipe.rundir import Run
from kcatalog.recipe.training import Plan, train

COMPARED = 64  # test samples on which live and exported model are compared


@dataclass
class Steps:
    """A recipe with what the user asked for. None means: not given."""

    recipe: object
    data: str | None = None
    epochs: int | None = None
    trials: int | None = None
    trial_epochs: int | None = None
    tuner: str | None = None
    seed: int | None = None
    overrides: list[str] | None = None
    precision: str | None = None
    devices: str = "auto"
    run_dir: Path | None = None
    resume: bool = False
    debug: bool = False

    def __post_init__(self):
        self.console = Console(soft_wrap=True)

    # --- what the command line calls -----------------------------------------------------

    def everything(self) -> None:
        """The whole way. With --resume, steps that are done are left out."""
        run, data = self._begin()
        with self._session(run) as device:
            if run.read("hyperparameters.json") is None:
                self._tune(run, data)
            if not run.model.exists():
                self._train(run, data)
            self._evaluate(run, data, device)
        self._export(run)

    def tune(self) -> None:
        run, data = self._begin()
        with self._session(run):
            self._tune(run, data)

    def train(self) -> None:
        """In the newest run if that is tuned and not trained yet, else in a new one."""
        tuned = rundir.find(self.recipe.name, self.run_dir)
        waiting = tuned and tuned.read("hyperparameters.json") and not _started(tuned)
        run, data = self._begin(go_on=bool(waiting))
        if run.model.exists():
            raise RecipeError(f"{run.path} is trained already. Leave out --resume for a new run.")
        with self._session(run):
            self._train(run, data)

    def evaluate(self) -> None:
        run, data = self._trained()
        with self._session(run) as device:
            self._evaluate(run, data, device)

    def export(self) -> None:
        run, data = self._trained()
        if run.read("metrics.json") is None:
            with self._session(run) as device:
                self._evaluate(run, data, device)
        self._export(run)

    # --- runs ----------------------------------------------------------------------------

    def _begin(self, go_on: bool = False) -> tuple[Run, object]:
        """A new run, or with --resume the one that stopped. Data are read before anything is
        written, so that wrong input leaves nothing behind."""
        hyperparameters.parse(self.overrides or [])
        given = {
            "data": self.data,
            "epochs": self.epochs,
            "trials": self.trials,
            "trial_epochs": self.trial_epochs,
            "tuner": self.tuner,
            "seed": self.seed,
            "overrides": self.overrides,
            "precision": self.precision,
        }
        given = {name: value for name, value in given.items() if value is not None}
        found = rundir.find(self.recipe.name, self.run_dir) if self.resume or go_on else None
        if found is not None:
            return self._go_on(found, given)
        if self.resume:
            raise RecipeError(
                f"There is no run of {self.recipe.name} to resume. Leave out --resume."
            )
        settings = {
            "data": None,
            "epochs": self.recipe.epochs,
            "trials": self.recipe.trials,
            "trial_epochs": self.recipe.trial_epochs,
            "tuner": "random",
            "seed": 0,
            "overrides": [],
            "precision": "float32",
            **given,
        }
        data = self.recipe.source.load(settings["data"], settings["seed"])
        with devices.using(self.devices):  # before anything is written
            pass
        facts = {"settings": settings, "data": describe(data)}
        run = rundir.begin(self.recipe.name, self.run_dir, facts)
        self.console.print(f"{self.recipe.name} on {data.name}: {run.path}", highlight=False)
        return run, data

    def _go_on(self, run: Run, given: dict) -> tuple[Run, object]:
        """An earlier run, with its own settings; more epochs and trials may be asked for."""
        settings = run.facts["settings"]
        for name, value in given.items():
            if name in ("epochs", "trials"):
                settings[name] = value
            elif settings[name] != value:
                option = "set" if name == "overrides" else name.replace("_", "-")
                raise RecipeError(
                    f"--{option} must be as {run.path} began with: {settings[name]}. "
                    f"Received: {value}. Leave out --{option}, or start a new run."
                )
        rundir.write_json(run.path / "run.json", run.facts)
        return run, self._same_data(run)

    def _trained(self) -> tuple[Run, object]:
        run = rundir.find(self.recipe.name, self.run_dir)
        if run is None or not run.model.exists():
            raise RecipeError(f"There is no trained {self.recipe.name} yet. Run `train` first.")
        return run, self._same_data(run)

    def _same_data(self, run: Run):
        settings = run.facts["settings"]
        data = self.recipe.source.load(settings["data"], settings["seed"])
        if data.fingerprint != run.facts["data"]["fingerprint"]:
            raise RecipeError(f"{data.name} has changed since {run.path} began. Start a new run.")
        self.console.print(f"{self.recipe.name} on {data.name}: {run.path}", highlight=False)
        return data

    @contextlib.contextmanager
    def _session(self, run: Run):
        """Devices and precision; yields the devices in words."""
        before = keras.config.dtype_policy()
        with devices.using(self.devices) as device:
            keras.config.set_dtype_policy(run.facts["settings"]["precision"])
            try:
                yield device
            finally:
                keras.config.set_dtype_policy(before)

    # --- the steps -----------------------------------------------------------------------

    def _objective(self, data) -> str:
        return self.recipe.objective or tasks.of(data).objective

    def _space(self, run: Run, data, values: dict | None = None):
        overrides = hyperparameters.parse(run.facts["settings"]["overrides"])
        return hyperparameters.space(lambda hp: self.recipe.build(hp, data), overrides, values)

    def _tune(self, run: Run, data) -> None:
        from kcatalog.recipe.search import Trials, search

        settings, recipe = run.facts["settings"], self.recipe
        best = search(
            Trials(recipe.build, data, settings["seed"], recipe.batch_size, run.logs),
            self._space(run, data),
            self._objective(data),
            settings["tuner"],
            settings["trials"],
            settings["trial_epochs"],
            settings["seed"],
            run,
            self.console,
        )
        run.write("hyperparameters.json", best)

    def _train(self, run: Run, data) -> None:
        hp = self._space(run, data, values=run.read("hyperparameters.json"))
        run.write("hyperparameters.json", monitoring.active(hp))
        settings, recipe = run.facts["settings"], self.recipe
        plan = Plan(self._objective(data), settings["epochs"], recipe.batch_size, settings["seed"])
        train(recipe.build, hp, data, plan, run, self.console)

    def _evaluate(self, run: Run, data, device: str) -> None:
        """Score the test split, once, next to a baseline on the same split."""
        task, (x, y) = tasks.of(data), data.test
        model = keras.saving.load_model(run.model, compile=False)
        logits = model.predict(x, batch_size=evaluation_size(len(x)), verbose=0)
        score = task.score(y, logits)
        name, baseline = self.recipe.baseline(data)
        line = f"Test {task.measure}: {score:.4f}. Baseline ({name}): {baseline:.4f}."
        self.console.print(line, highlight=False)
        monitoring.write_pictures(run.logs / "test", data, (x, y), logits, step=0)
        monitoring.write_scores(
            run.logs / "test", {task.measure: score, f"{task.measure}, baseline": baseline}
        )
        facts, some = describe(data), slice(0, COMPARED)
        answers = serving.expected(logits[some].astype("float64"), facts)
        np.savez(run.samples, request=serving.request(x[some], facts), **answers)
        precision = run.facts["settings"]["precision"]
        run.write(
            "metrics.json",
            {
                "measure": task.measure,
                "test": score,
                "baseline": {"name": name, "test": baseline},
                "test_samples": len(x),
                "device": device,
                "backend": keras.backend.backend(),
                "tolerance": export.tolerance(precision, device),
            },
        )

    def _export(self, run: Run) -> None:
        if keras.backend.backend() != "tensorflow":
            self._export_with_tensorflow(run)
            return
        metrics = run.read("metrics.json")
        manifest = {
            "recipe": self.recipe.name,
            "run": str(run.path),
            "tolerance": metrics["tolerance"],
            "metrics": metrics,
            "data": run.facts["data"],
            "settings": run.facts["settings"],
            "hyperparameters": run.read("hyperparameters.json"),
            "parts": run.read("training.json")["parts"],
        }
        folder = export.export(self.recipe.name, run.model, run.samples, manifest)
        difference = rundir.read_json(folder / "manifest.json")["largest_difference"]
        self.console.print(
            f"Verified in a clean process: the largest difference is {difference:.2g} "
            f"(tolerance {metrics['tolerance']:g}).\n"
            f"SavedModel:  {folder}\n"
            f"TensorBoard: tensorboard --logdir {run.logs}",
            highlight=False,
        )

    def _export_with_tensorflow(self, run: Run) -> None:
        """A model trained on JAX or PyTorch is exported by the recipe's `export` on TensorFlow."""
        script = inspect.getfile(self.recipe.build)
        done = subprocess.run(  # noqa: S603 - the recipe itself
            [sys.executable, script, "export", "--run-dir", str(run.path), "--devices", "cpu"],
            env={**os.environ, "KERAS_BACKEND": "tensorflow"},
            check=False,
        )
        if done.returncode:
            raise RecipeError("The export with TensorFlow failed; its reason stands above.")


def describe(data) -> dict:
    """What a manifest says of the data, and what serving needs to know."""
    return {
        "name": data.name,
        "task": data.task,
        "input_name": data.input_name,
        "input_shape": list(data.input_shape),
        "classes": list(data.classes),
        "fingerprint": data.fingerprint,
    }


def _started(run: Run) -> bool:
    return run.model.exists() or (run.checkpoints / "last.npz").exists()
