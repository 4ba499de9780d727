"""Which run this is: a new one, one to go on with, or one that is trained."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import keras

from kcatalog.recipe import devices
from kcatalog.recipe.data import Data
from kcatalog.recipe.files import disk, rundir
from kcatalog.recipe.files.rundir import Run
from kcatalog.recipe.search import hyperparameters
from kcatalog.recipe.terminal.errors import RecipeError
from kcatalog.recipe.training import checkpoint

# Settings that change no result, and may change at any time; also what they were in runs that
# did not note them.
HOW_TRIALS_RUN = {"keep": 3, "isolate": False, "trial_memory": None}


@dataclass(frozen=True)
class Options:
    """What the user asked for on the command line. None means: not given."""

    data: str | None = None
    epochs: int | None = None
    trials: int | None = None
    trial_epochs: int | None = None
    tuner: str | None = None
    folds: int | None = None
    keep: int | None = None
    isolate: bool | None = None
    cache_memory: float = 1.0
    trial_memory: float | None = None
    chief: str | None = None
    worker: str | None = None
    seed: int | None = None
    overrides: list[str] | None = None
    precision: str | None = None
    devices: str = "auto"
    model_parallel: int = 1
    hosts: str | None = None
    host_index: int | None = None
    run_dir: Path | None = None
    variants: str | None = None
    keep_versions: int | None = None
    resume: bool = False
    watch: bool = False
    profile: str | None = None
    debug: bool = False

    def settings(self) -> dict:
        """What shapes a run and was given."""
        names = ("data", "epochs", "trials", "trial_epochs", "tuner", "folds", "seed", "overrides")
        values = {name: getattr(self, name) for name in (*names, "precision", *HOW_TRIALS_RUN)}
        return {name: value for name, value in values.items() if value is not None}


@contextlib.contextmanager
def begin(recipe, asked: Options) -> Iterator[tuple[Run, Data]]:
    """A new run, held by this process. Everything is looked at before anything is written."""
    settings = {
        "data": None,
        "epochs": recipe.epochs,
        "trials": recipe.trials,
        "trial_epochs": recipe.trial_epochs,
        "tuner": "random",
        "folds": 1,
        "seed": 0,
        "overrides": [],
        "precision": "float32",
        **HOW_TRIALS_RUN,
        **asked.settings(),
    }
    _leave_room(settings, asked)
    rundir.check_new(asked.run_dir)  # before data take their time
    overrides = hyperparameters.parse(settings["overrides"])
    devices.understood(asked.devices, 2 if asked.hosts else 1)
    data = recipe.source.load(settings["data"], settings["seed"])
    if settings["folds"] > 1:
        from kcatalog.recipe.search import folds

        folds.check(data, settings["folds"])
    run = Run(Path(), {"settings": settings})
    with _look(recipe, run, asked) as used:
        space = hyperparameters.space(builder(recipe, data, used), overrides)
    hyperparameters.check_epochs(space, asked.epochs or asked.trial_epochs, settings["tuner"])
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    facts = {"command": command, "settings": settings, "data": data.info.to_record()}
    with rundir.begin(recipe.name, asked.run_dir, facts) as run:
        data.keep(run.path, asked.cache_memory)
        yield run, data


@contextlib.contextmanager
def resume(recipe, asked: Options) -> Iterator[tuple[Run, Data]]:
    """The run that stopped, in `--run-dir` or the newest, with its own settings."""
    run = rundir.find(recipe.name, asked.run_dir)
    if run is None:
        place = f" in {asked.run_dir}" if asked.run_dir else ""
        raise RecipeError(f"There is no run of {recipe.name}{place} to resume.")
    with go_on(recipe, run, asked) as (run, data):
        yield run, data


@contextlib.contextmanager
def go_on(recipe, run: Run, asked: Options) -> Iterator[tuple[Run, Data]]:
    """An earlier run, held by this process. More trials may be asked for before it trains, more
    epochs before it is trained, and another way to run trials; nothing else may change."""
    with disk.file_lock(run.path):
        run = rundir.find(recipe.name, run.path)  # as it stands now that nobody else writes
        settings = {"folds": 1, **HOW_TRIALS_RUN, **run.facts["settings"]}
        open_to_change = {"trials": not run.checkpoints.exists(), "epochs": not run.model.exists()}
        open_to_change |= dict.fromkeys(HOW_TRIALS_RUN, True)
        for name, value in asked.settings().items():
            if settings[name] != value and not open_to_change.get(name):
                option = "--set" if name == "overrides" else f"--{name.replace('_', '-')}"
                raise RecipeError(
                    f"{option} must be as {run.path} began with: {settings[name]}. "
                    f"Received: {value}. Leave out {option}, or start a new run."
                )
            settings[name] = value
        _check_epochs(run, asked.epochs)
        _leave_room(settings, asked)
        data = same_data(recipe, run, asked)
        if settings != run.facts["settings"]:
            run = Run(run.path, {**run.facts, "settings": settings})
            run.write("run.json", run.facts)
        yield run, data


@contextlib.contextmanager
def trained(recipe, asked: Options) -> Iterator[tuple[Run, Data]]:
    """The run in `--run-dir` or the newest, which must have been trained; held by this process."""
    run = rundir.find(recipe.name, asked.run_dir)
    if run is None or not run.model.exists():
        place = f" in {asked.run_dir}" if asked.run_dir else ""
        raise RecipeError(f"There is no trained {recipe.name}{place} yet. Run `train` first.")
    with disk.file_lock(run.path):
        yield run, same_data(recipe, run, asked)


def _check_epochs(run: Run, asked: int | None) -> None:
    """What has been trained cannot be taken back."""
    done = checkpoint.epochs_done(run.checkpoints) if asked else 0
    if asked and asked < done:
        raise RecipeError(
            f"--epochs must be at least the {done} that {run.path} has been trained for. "
            f"Received: {asked}."
        )


def _leave_room(settings: dict, asked: Options) -> None:
    """For trials in processes of their own, before this one uses a device."""
    if settings["isolate"] or settings["trial_memory"] or asked.chief:
        from kcatalog.recipe.search import isolation

        isolation.prepare(settings["isolate"], settings["trial_memory"])


def same_data(recipe, run: Run, asked: Options, folder: Path | None = None) -> Data:
    """The data the run began with; decoded samples are kept in `folder`, or in the run's own."""
    settings = run.facts["settings"]
    data = recipe.source.load(settings["data"], settings["seed"])
    if data.fingerprint != run.facts["data"]["fingerprint"]:
        raise RecipeError(f"{data.name} has changed since {run.path} began. Start a new run.")
    data.keep(folder or run.path, asked.cache_memory)
    return data


@contextlib.contextmanager
def session(recipe, run: Run, asked: Options, hosts: int = 1) -> Iterator[devices.Devices]:
    """The run's precision, on the devices asked for."""
    before, precision = keras.config.dtype_policy(), run.facts["settings"]["precision"]
    with devices.using(asked.devices, hosts, asked.model_parallel, recipe.layout) as used:

        @contextlib.contextmanager
        def scope():
            keras.config.set_dtype_policy(precision)  # which a cleared session forgets
            with used.scope():
                yield

        keras.config.set_dtype_policy(precision)
        try:
            yield replace(used, scope=scope)
        finally:
            keras.config.set_dtype_policy(before)


def _look(recipe, run: Run, asked: Options) -> contextlib.AbstractContextManager:
    """The session in which host 0 looks at the model before the others are there."""
    if asked.hosts is None:
        return session(recipe, run, asked)
    devices.understood(asked.devices, hosts=2)
    return contextlib.nullcontext(devices.Devices("this host"))


def builder(recipe, data: Data, used: devices.Devices) -> Callable:
    """The recipe's `build` as a function of the hyperparameters alone, on these devices."""

    def build(hp):
        with used.scope():
            model = recipe.build(hp, data)
            used.prepare(model)
            return model

    return build
