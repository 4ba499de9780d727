"""The command line of every recipe: the whole way, or one step of it."""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from kcatalog.recipe.commands.options import (
    ClusterOptions,
    DebugOption,
    DeviceOptions,
    ExistingRunOptions,
    ExportOptions,
    HostOptions,
    IsolationOptions,
    MonitoringOptions,
    Options,
    PredictOptions,
    RunOptions,
    SearchOptions,
    ServeOptions,
    SettingOptions,
    flag,
)
from kcatalog.recipe.files import disk
from kcatalog.recipe.terminal import output, stopping
from kcatalog.recipe.terminal.errors import RecipeError

USAGE_ERROR = 2
NEEDS_TENSORFLOW = (
    "Recipes need TensorFlow on every backend, to read data, for TensorBoard and for SavedModels: "
    "run `pip install tensorflow` with Python 3.11, 3.12 or 3.13."
)
SEARCH = (SearchOptions, IsolationOptions)
WHOLE_WAY = (
    *(SettingOptions, *SEARCH, DeviceOptions, MonitoringOptions, ExportOptions, RunOptions),
)
COMMANDS = {  # methods of `Steps`
    "tune": (
        "Search for the best hyperparameters.",
        (SettingOptions, *SEARCH, ClusterOptions, DeviceOptions, RunOptions),
    ),
    "train": (
        "Train with the best hyperparameters.",
        (SettingOptions, DeviceOptions, HostOptions, MonitoringOptions, RunOptions),
    ),
    "evaluate": (
        "Score the trained model on the test split.",
        (DeviceOptions, ExistingRunOptions),
    ),
    "export": (
        "Write a SavedModel and check it in a clean process.",
        (ExportOptions, DeviceOptions, ExistingRunOptions),
    ),
}


def run(recipe, arguments: list[str] | None = None) -> int:
    """Run a recipe's command line and return the exit code.

    0: success. 1: an unexpected error. 2: wrong input, explained in one sentence on stderr. 130 or
    143: stopped by Ctrl-C or SIGTERM.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if importlib.util.find_spec("tensorflow") is None:
        return _fail(NEEDS_TENSORFLOW, USAGE_ERROR)
    try:
        result = _app(recipe)(args=arguments, standalone_mode=False)
    except typer.TyperException as e:  # usage errors
        if "--debug" in arguments:
            raise
        return _fail(e.format_message(), e.exit_code)
    except RecipeError as e:
        if "--debug" in arguments:
            raise
        return _fail(str(e), USAGE_ERROR)
    except stopping.Stopped as e:
        return _fail(str(e), e.code)
    except Exception as e:  # anything else: a user sees one sentence, not a traceback
        if "--debug" in arguments:
            raise
        if reason := disk.disk_error(e):
            return _fail(f"{reason}. Finished work is kept. Fix this, then rerun with --resume.", 2)
        first = str(e).strip().splitlines()[:1]
        return _fail(f"{type(e).__name__}: {''.join(first)} (--debug shows the traceback)", 1)
    return result if isinstance(result, int) else 0


def _fail(message: str, code: int) -> int:
    output.console(stderr=True).print(message)
    return code


def _app(recipe) -> typer.Typer:
    from kcatalog.recipe.commands.steps import TRIAL, Steps
    from kcatalog.recipe.devices import hosts

    about = inspect.getdoc(inspect.getmodule(recipe.build)) or f"The recipe {recipe.name}."
    about = about.replace("\n\n ", "\n\n\b\n ")  # keeps the line breaks of examples
    app = typer.Typer(
        help=about,
        add_completion=False,
        context_settings={"max_content_width": 100},
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )

    def everything(context: typer.Context, **given):
        options = Options(**given)
        if context.invoked_subcommand is None:
            Steps(recipe, options).everything()
        elif options != Options():
            raise RecipeError(f"Put options after `{context.invoked_subcommand}`.")

    app.callback(invoke_without_command=True)(
        _command(everything, WHOLE_WAY, context=typer.Context)
    )
    for name, (help_text, groups) in COMMANDS.items():

        def step(name=name, **given):
            options = Options(**given)
            with hosts.join(options.hosts, options.host_index) as met:
                getattr(Steps(recipe, options, met), name)()

        app.command(name, help=help_text)(_command(step, groups))

    def trial(folder: Path, **given):
        Steps(recipe, Options(**given)).trial(folder)

    app.command("trial", hidden=True)(
        _command(
            trial,
            TRIAL,
            folder=Annotated[Path, typer.Argument()],
        )
    )

    def predict(files: list[Path], debug, **given):
        from kcatalog.recipe.commands import predict

        options = PredictOptions(**given)
        predict.predict(recipe, files, options.length, options.seed)

    app.command("predict", help="Print the exported model's predictions for your files.")(
        _command(
            predict,
            (PredictOptions,),
            files=Annotated[list[Path], typer.Argument(metavar="FILE", help="Your files.")],
        )
    )

    def serve(debug, **given):
        from kcatalog.recipe import serve

        options = ServeOptions(**given)
        serve.serve(recipe, options.port, options.version)

    app.command("serve", help="Serve the exported model over HTTP on this machine.")(
        _command(serve, (ServeOptions,))
    )
    return app


def _command(function: Callable, groups: tuple[type, ...], **arguments) -> Callable:
    """Return the function with the signature that Typer reads: arguments, then options."""

    def command(**given):
        with stopping.signals():
            return function(**given)

    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter(n, keyword, annotation=a) for n, a in arguments.items()]
    for group in (*groups, DebugOption):
        hints = get_type_hints(group)
        parameters += [
            inspect.Parameter(
                field.name,
                keyword,
                annotation=Annotated[hints[field.name], _typer_option(field)],
                default=field.default,
            )
            for field in dataclasses.fields(group)
        ]
    command.__signature__ = inspect.Signature(parameters)
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def _typer_option(field: dataclasses.Field) -> Any:
    more = {k: v for k, v in field.metadata["typer"].items() if k != "flag"}
    return typer.Option(flag(field), help=field.metadata["help"], **more)
