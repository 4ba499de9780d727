"""Open the run to work in: a new one, an earlier one, or a trained one."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import keras

from kcatalog import progress, shelf
from kcatalog.recipe import devices, monitoring, tasks
from kcatalog.recipe.commands import block, config, declared, earlier_data, needed
from kcatalog.recipe.commands.options import STORED, Change, Options, flag, initial, of_source
from kcatalog.recipe.data import Data, recorded
from kcatalog.recipe.files import disk, keras_file, rundir
from kcatalog.recipe.files.rundir import Run
from kcatalog.recipe.search import folds, hyperparameters, runners
from kcatalog.recipe.tasks import contract
from kcatalog.recipe.terminal import output
from kcatalog.recipe.terminal.errors import RecipeError
from kcatalog.recipe.training import checkpoint


@contextlib.contextmanager
def begin(recipe, options: Options, drawn: dict | None = None) -> Iterator[tuple[Run, Data]]:
    """Start and lock a new run. Everything is checked before anything is written.

    Args:
        recipe: the recipe.
        options: as they were given.
        drawn: hyperparameters to train with, if no search is to find them.
    """
    settings = {**initial(recipe), **options.given()}
    _leave_room(settings, options)
    rundir.check_new(options.run_dir)  # before the data are loaded
    hyperparameters.parse(settings["overrides"])
    devices.resolve(options.devices, 2 if options.hosts else 1)
    data = recipe.load(settings["data"], settings["seed"], settings)
    _check_used(recipe.source, options, data)
    tasks.objective_of(recipe, data)
    if settings["folds"] > 1:
        folds.check(data, settings["folds"])
    data.keep(_existing(options.run_dir), options.cache_memory)
    _decode(data)
    needed.packages(recipe, settings, data)
    space, found = _try_model(recipe, data, settings, options, drawn)
    hyperparameters.check_epochs(space, options.epochs or options.trial_epochs, settings["tuner"])
    facts = {
        "command": command(),
        "settings": {**settings, **data.settings},
        "versions": config.versions(),
        "data": data.info.to_record(),
        "began": data.fingerprint,
        "learned": data.learned,
        "declared": declared.record(recipe, data, space),
        "findings": [vars(each) for each in found],
    }
    if drawn:
        facts["hyperparameters"] = monitoring.active(space)
    split = recorded.split_of(data, earlier_data.root(recipe, settings))
    with rundir.begin(recipe.name, options.run_dir, facts) as run:
        if split:
            run.write("split.json", split)
        yield run, data


def command() -> str:
    """Return the command that this process was started with."""
    program = shelf.program() or shlex.quote(Path(sys.argv[0]).name)
    return " ".join([program, *map(shlex.quote, sys.argv[1:])])


def find(recipe, path: Path | None) -> Run | None:
    """Return the run in `path`, or the newest one, with the defaults of options that it has not
    stored, which are those that are None."""
    run = rundir.find(recipe.name, path)
    if run is not None:
        run.facts["settings"] = {**initial(recipe), **run.facts["settings"]}
    return run


def _check_used(source, options: Options, data: Data) -> None:
    """Refuse an option of the source that these data do not depend on."""
    for name in options.source:
        files = source.options[name].files
        known = (options.data or source.default) in source.sets()
        if files and (known or data.input_name != files):
            raise RecipeError(
                f"{flag(of_source(source)[name])} is for files that become the model's input "
                f"{files!r}. {data.name} does not depend on it. Leave it out, or name your files "
                "with --data."
            )


def _decode(data: Data) -> None:
    """Decode each file once: the first trial needs it, and bad ones are named now."""
    with progress.bar("Reading files", output.console()) as advance:
        data.decode(advance)


def _try_model(recipe, data: Data, settings: dict, options: Options, drawn: dict | None) -> tuple:
    """Build the model, by default with default values, and try it on real samples. Return the
    search space and findings."""
    if options.hosts:  # no device may be used before the hosts meet
        looking = contextlib.nullcontext(devices.Devices("this host"))
    else:
        looking = session(recipe, settings, options)
    with looking as used:
        build = builder(recipe, data, used)
        overrides = hyperparameters.parse(settings["overrides"])
        space = hyperparameters.with_values(build, overrides, drawn or {})
        model, objective = build(space), tasks.objective_of(recipe, data)
        keras_file.check_reloads(model)
        batches = tasks.batches_of(data, space, recipe.batch_size, settings["seed"])
        needed.profiled(options.profile, space, settings["epochs"], len(batches))
        kept = min(settings["trials"], settings["keep"])
        found = [
            *block.findings(data, model, space.values.get("batch_size", recipe.batch_size)),
            *needed.space(model, kept, _existing(options.run_dir)),
            *contract.check_batch(tasks.of(data), model, data, batches, objective),
        ]
    return space, found


def _existing(run_dir: Path | None) -> Path:
    """Return the first of a new run's directory and its parents that is there."""
    path = (run_dir or Path("runs")).absolute()
    return next(place for place in (path, *path.parents) if place.exists())


def to_resume(recipe, options: Options) -> Run:
    """Return the run in `--run-dir`, or the newest one, or refuse where there is none."""
    run = find(recipe, options.run_dir)
    if run is None:
        raise RecipeError(
            f"There is no run of {_named(recipe, options)} to resume. Leave out --resume to start "
            "one."
        )
    return run


@contextlib.contextmanager
def resume(
    recipe, options: Options, run: Run | None = None, say: earlier_data.Say = lambda sentence: None
) -> Iterator[tuple[Run, Data]]:
    """Lock an earlier run, by default that in `--run-dir` or the newest, to continue it.

    It keeps its settings. Options that were given must equal them, unless they may still change.
    """
    run = run or to_resume(recipe, options)
    with disk.file_lock(run.path):
        run = find(recipe, run.path)  # read again, now that nobody else writes
        settings = changed(recipe, run, options, say)
        _leave_room(settings, options)
        run, data = earlier_data.reopened(recipe, run, options, say)
        if not run.model.exists():
            _decode(data)
        if settings != run.facts["settings"]:
            run.update(settings=settings)
        yield run, data


@contextlib.contextmanager
def trained(
    recipe, options: Options, say: earlier_data.Say = lambda sentence: None
) -> Iterator[tuple[Run, Data]]:
    """Lock the run in `--run-dir`, or the newest, which must have been trained."""
    run = find(recipe, options.run_dir)
    if run is None or not run.model.exists():
        begun = run is not None and (run.checkpoints.exists() or not run.tuned)
        words = ["train", *["--resume"] * begun]
        words += ["--run-dir", str(options.run_dir)] if options.run_dir else []
        raise RecipeError(
            f"There is no trained run of {_named(recipe, options)}. Run `{shlex.join(words)}` "
            "first."
        )
    with disk.file_lock(run.path):
        yield earlier_data.reopened(recipe, run, options, say)


def _named(recipe, options: Options) -> str:
    return f"{recipe.name} in {options.run_dir}" if options.run_dir else recipe.name


def changed(recipe, run: Run, options: Options, say: earlier_data.Say) -> dict:
    """Return the run's settings with the given options, or refuse what can no longer change."""
    settings = dict(run.facts["settings"])
    changes = {Change.ANY_TIME}
    if not run.checkpoints.exists():
        changes.add(Change.UNTIL_TRAINING)
    if not run.model.exists():
        changes.add(Change.UNTIL_TRAINED)
    fields = {**STORED, **of_source(recipe.source)}
    for name, value in options.given().items():
        field = fields[name]
        if settings[name] != value and field.metadata["change"] not in changes:
            raise RecipeError(
                f"{run.path} was started {_as_given(field, settings[name])}, which cannot be "
                f"changed to {value} now. Leave out {flag(field)} to go on. "
                f"{rundir.anew(run.path)}"
            )
        settings[name] = value
    for name, value in run.facts["declared"].items():
        wanted = getattr(recipe, name, value)
        if name in STORED and wanted != value == settings[name]:
            field = STORED[name]
            use = f" Use {flag(field)} {wanted} to change that."
            say(
                f"Recipe.{name} was {value} when the run began, and is {wanted} now. {run.path} "
                f"keeps {settings[name]}.{use if field.metadata['change'] in changes else ''}"
            )
    if options.epochs and options.epochs < (done := checkpoint.epochs_done(run.checkpoints)):
        raise RecipeError(
            f"{run.path} has already been trained for {done} epochs. Use --epochs {done} or more."
        )
    return settings


def _as_given(field, value) -> str:
    if value in (None, False, []):
        return f"without {flag(field)}"
    values = value if isinstance(value, list) else [value]
    return "with " + " ".join(f"{flag(field)} {each}" for each in values)


def _leave_room(settings: dict, options: Options) -> None:
    """Leave memory for trials in processes of their own, before this one uses a device."""
    isolated = settings["isolate"] or settings["parallel"] > 1 or options.cluster is not None
    if isolated or settings["trial_memory"]:
        runners.prepare(isolated, settings["trial_memory"])


@contextlib.contextmanager
def session(recipe, settings: dict, options: Options, hosts: int = 1) -> Iterator[devices.Devices]:
    """Use the precision of a run's settings on the requested devices."""
    before = keras.config.dtype_policy()
    with devices.using(options.devices, hosts, options.model_parallel, recipe.layout) as used:

        @contextlib.contextmanager
        def scope():
            keras.config.set_dtype_policy(settings["precision"])  # clearing the session resets it
            with used.scope():
                yield

        keras.config.set_dtype_policy(settings["precision"])
        try:
            yield replace(used, scope=scope)
        finally:
            keras.config.set_dtype_policy(before)


def builder(recipe, data: Data, used: devices.Devices) -> Callable:
    """Return the recipe's `build` on these devices, as a function of the hyperparameters.

    It also takes other data, such as those of a fold.
    """

    def build(hp, data=data):
        with used.scope():
            model = recipe.build(hp, data)
            contract.check_model(tasks.of(data), model, data)
            used.prepare(model)
            if model.built and not model.optimizer.built:
                # Keras would build it in the first step, which TensorFlow then traces twice
                model.optimizer.build(model.trainable_variables)
            return model

    return build
