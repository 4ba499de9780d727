"""Open the run to work in: a new one, an earlier one, or a trained one."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import keras

from kcatalog.recipe import devices, tasks
from kcatalog.recipe.commands.options import STORED, Change, Options, flag, initial
from kcatalog.recipe.data import Data
from kcatalog.recipe.files import disk, rundir
from kcatalog.recipe.files.rundir import Run
from kcatalog.recipe.search import hyperparameters
from kcatalog.recipe.terminal.errors import RecipeError
from kcatalog.recipe.training import checkpoint


@contextlib.contextmanager
def begin(recipe, options: Options) -> Iterator[tuple[Run, Data]]:
    """Start and lock a new run. Everything is checked before anything is written."""
    settings = {**initial(recipe), **options.given()}
    _leave_room(settings, options)
    rundir.check_new(options.run_dir)  # before the data are loaded
    overrides = hyperparameters.parse(settings["overrides"])
    devices.resolve(options.devices, 2 if options.hosts else 1)
    data = recipe.load(settings["data"], settings["seed"])
    tasks.objective_of(recipe, data)  # refused before anything is written
    if settings["folds"] > 1:
        from kcatalog.recipe.search import folds

        folds.check(data, settings["folds"])
    run = Run(Path(), {"settings": settings})
    with _look(recipe, run, options) as used:
        space = hyperparameters.space(builder(recipe, data, used), overrides)
    hyperparameters.check_epochs(space, options.epochs or options.trial_epochs, settings["tuner"])
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    facts = {"command": command, "settings": settings, "data": data.info.to_record()}
    with rundir.begin(recipe.name, options.run_dir, facts) as run:
        data.keep(run.path, options.cache_memory)
        yield run, data


@contextlib.contextmanager
def resume(recipe, options: Options) -> Iterator[tuple[Run, Data]]:
    """Reopen the run in `--run-dir`, or the newest."""
    run = rundir.find(recipe.name, options.run_dir)
    if run is None:
        place = f" in {options.run_dir}" if options.run_dir else ""
        raise RecipeError(f"There is no run of {recipe.name}{place} to resume.")
    with reopen(recipe, run, options) as (run, data):
        yield run, data


@contextlib.contextmanager
def reopen(recipe, run: Run, options: Options) -> Iterator[tuple[Run, Data]]:
    """Lock an earlier run and continue it with its own settings.

    Options that were given must equal the stored ones, unless they may still change.
    """
    with disk.file_lock(run.path):
        run = rundir.find(recipe.name, run.path)  # read again, now that nobody else writes
        settings = {**initial(recipe), **run.facts["settings"]}
        changes = {Change.ANY_TIME}
        if not run.checkpoints.exists():
            changes.add(Change.UNTIL_TRAINING)
        if not run.model.exists():
            changes.add(Change.UNTIL_TRAINED)
        for name, value in options.given().items():
            field = STORED[name]
            if settings[name] != value and field.metadata["change"] not in changes:
                option = flag(field)
                raise RecipeError(
                    f"{run.path} was started with {option} {settings[name]}, which cannot be "
                    f"changed to {value} now. Leave out {option}, or start a new run."
                )
            settings[name] = value
        _check_epochs(run, options.epochs)
        _leave_room(settings, options)
        data = same_data(recipe, run, options)
        if settings != run.facts["settings"]:
            run = Run(run.path, {**run.facts, "settings": settings})
            run.write("run.json", run.facts)
        yield run, data


@contextlib.contextmanager
def trained(recipe, options: Options) -> Iterator[tuple[Run, Data]]:
    """Lock the run in `--run-dir`, or the newest, which must have been trained."""
    run = rundir.find(recipe.name, options.run_dir)
    if run is None or not run.model.exists():
        place = f" in {options.run_dir}" if options.run_dir else ""
        raise RecipeError(f"There is no trained run of {recipe.name}{place}. Run `train` first.")
    with disk.file_lock(run.path):
        yield run, same_data(recipe, run, options)


def _check_epochs(run: Run, epochs: int | None) -> None:
    """Refuse fewer epochs than the run has been trained for."""
    done = checkpoint.epochs_done(run.checkpoints) if epochs else 0
    if epochs and epochs < done:
        raise RecipeError(
            f"{run.path} has already been trained for {done} epochs. Use --epochs {done} or more."
        )


def _leave_room(settings: dict, options: Options) -> None:
    """Leave memory for trials in processes of their own, before this one uses a device."""
    isolated = settings["isolate"] or settings["parallel"] > 1 or options.cluster is not None
    if isolated or settings["trial_memory"]:
        from kcatalog.recipe.search import runners

        runners.prepare(isolated, settings["trial_memory"])


def same_data(recipe, run: Run, options: Options, folder: Path | None = None) -> Data:
    """Load the data of the run; decoded samples are cached in `folder` or the run directory."""
    settings = run.facts["settings"]
    data = recipe.load(settings["data"], settings["seed"])
    if data.fingerprint != run.facts["data"]["fingerprint"]:
        raise RecipeError(
            f"The data {data.name} have changed since {run.path} was started. Start a new run."
        )
    data.keep(folder or run.path, options.cache_memory)
    return data


@contextlib.contextmanager
def session(recipe, run: Run, options: Options, hosts: int = 1) -> Iterator[devices.Devices]:
    """Use the precision of the run on the devices that were asked for."""
    before, precision = keras.config.dtype_policy(), run.facts["settings"]["precision"]
    with devices.using(options.devices, hosts, options.model_parallel, recipe.layout) as used:

        @contextlib.contextmanager
        def scope():
            keras.config.set_dtype_policy(precision)  # clearing the session resets it
            with used.scope():
                yield

        keras.config.set_dtype_policy(precision)
        try:
            yield replace(used, scope=scope)
        finally:
            keras.config.set_dtype_policy(before)


def _look(recipe, run: Run, options: Options) -> contextlib.AbstractContextManager:
    """Return the session in which the model is first built, before other hosts are met."""
    if options.hosts is None:
        return session(recipe, run, options)
    devices.resolve(options.devices, hosts=2)
    return contextlib.nullcontext(devices.Devices("this host"))


def builder(recipe, data: Data, used: devices.Devices) -> Callable:
    """Return the recipe's `build` as a function of the hyperparameters, on these devices."""

    def build(hp):
        with used.scope():
            model = recipe.build(hp, data)
            used.prepare(model)
            return model

    return build
