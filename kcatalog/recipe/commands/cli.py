"""The command line of every recipe: the whole way, or one step of it."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable
from dataclasses import Field
from pathlib import Path
from typing import Annotated

import typer

from kcatalog import shelf
from kcatalog.recipe.commands import config
from kcatalog.recipe.commands.options import Options, fields, flag
from kcatalog.recipe.commands.words import is_switch, negative
from kcatalog.recipe.files import disk
from kcatalog.recipe.terminal import output, stopping
from kcatalog.recipe.terminal.errors import RecipeError, first_line

USAGE_ERROR = 2
STEPS = {
    "tune": "Search for the best hyperparameters.",
    "train": "Train with the best hyperparameters.",
    "evaluate": "Score the trained model on the test split.",
    "export": "Write a SavedModel and check it in a clean process.",
}
NEEDS_TENSORFLOW = (
    "Recipes need TensorFlow on every backend, to read data, for TensorBoard and for SavedModels: "
    "run `pip install tensorflow` with Python 3.11, 3.12 or 3.13."
)


def run(recipe, arguments: list[str] | None = None) -> int:
    """Run a recipe's command line and return the exit code.

    0: success. 1: an unexpected error, or `predict` could not read some of the files. 2: wrong
    input, explained in one sentence on stderr. 130 or 143: stopped by Ctrl-C or SIGTERM.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if importlib.util.find_spec("tensorflow") is None:
        return _fail(NEEDS_TENSORFLOW, USAGE_ERROR)
    return execute(arguments, _about(recipe), recipe.source, recipe) or 0


def execute(arguments: list[str], about: str, source, recipe=None) -> int | None:
    """Run the command line of `app`. Return the exit code, or None if a command ended."""
    try:
        arguments = config.expand(arguments, recipe, STEPS) if recipe else arguments
        command = app(about, source, recipe)
        result = command(args=arguments, prog_name=shelf.program(), standalone_mode=False)
    except stopping.Stopped as e:
        return _fail(str(e), e.code)
    except Exception as e:  # a user sees one sentence, not a traceback
        if "--debug" in arguments:
            raise
        return _fail(*_explained(e))
    return result if isinstance(result, int) else None


def _explained(error: Exception) -> tuple[str, int]:
    """Return an error's sentence and exit code."""
    if isinstance(error, typer.TyperException):  # usage errors
        return error.format_message(), error.exit_code
    if isinstance(error, RecipeError):
        return str(error), USAGE_ERROR
    if reason := disk.disk_error(error):
        how = " ".join(getattr(error, "__notes__", ["Then run again."]))
        return f"{reason}. Fix this. {how}", USAGE_ERROR
    return f"{type(error).__name__}: {first_line(error)} (--debug shows the traceback)", 1


def _fail(message: str, code: int) -> int:
    output.console(stderr=True).print(message)
    return code


def _about(recipe) -> str:
    return inspect.getdoc(inspect.getmodule(recipe.build)) or f"The recipe {recipe.name}."


def app(about: str, source, recipe=None) -> typer.Typer:
    """Return the command line of a recipe; without one, its commands do nothing.

    What imports Keras is imported by the commands, so that help is there at once.
    """
    app = typer.Typer(
        help=shelf.as_run(about).replace("\n\n ", "\n\n\b\n "),  # keeps the line breaks of examples
        add_completion=False,
        context_settings={"max_content_width": 100},
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )

    def steps(*given):
        from kcatalog.recipe.commands.steps import Steps

        return Steps(recipe, *given)

    def everything(call: typer.Context, **given):
        options = Options.of(**given)
        if call.invoked_subcommand is None and options.print_config:
            steps(options).print_config("")
        elif call.invoked_subcommand is None:
            steps(options).everything()
        elif options != Options():
            _misplaced(call.invoked_subcommand, options)

    def trial(folder: Path, **given):
        steps(Options.of(**given)).trial(folder)

    def predict(files: list[Path], length: int, seed: int, json: bool, debug: bool):
        from kcatalog.recipe.commands import prediction

        return prediction.predict(recipe, files, length, seed, json)

    def serve_export(port: int, version: int | None, debug: bool):
        from kcatalog.recipe import serve

        serve.serve(recipe, port, version)

    def command(name, function, **arguments):
        return _command(function if recipe else _nothing, fields(name, source), **arguments)

    def add(name, function, about, hidden=False, **arguments):
        app.command(name, help=about, hidden=hidden)(command(name, function, **arguments))

    app.callback(invoke_without_command=True)(command("", everything, call=typer.Context))
    for name, about_step in STEPS.items():

        def step(name=name, **given):
            from kcatalog.recipe.devices import hosts

            options = Options.of(**given)
            if options.print_config:
                steps(options).print_config(name)
                return
            with hosts.join(options.hosts, options.host_index) as met:
                getattr(steps(options, met), name)()

        add(name, step, about_step)
    folder = Annotated[Path, typer.Argument()]
    files = Annotated[list[Path], typer.Argument(metavar="PATH", help="Your files and folders.")]
    add("search-worker", trial, "Run one trial of a search.", hidden=True, folder=folder)
    add("predict", predict, "Print the exported model's predictions for your files.", files=files)
    add("serve", serve_export, "Serve the exported model over HTTP on this machine.")
    return app


def _nothing(**given) -> None:
    pass


def _misplaced(command: str, options: Options) -> None:
    """Refuse options before a command: they would have no effect there."""
    empty, taken = Options(), {f.name for f in fields(command)} | options.source.keys()
    given = (f for f in fields("") if getattr(options, f.name, None) != getattr(empty, f.name))
    foreign = [flag(f) for f in given if f.name not in taken]
    if foreign:
        raise RecipeError(f"Leave out {', '.join(foreign)}: `{command}` has no such option.")
    raise RecipeError(f"Put options after `{command}`.")


def _command(function: Callable, options: list[Field], **arguments) -> Callable:
    """Return the function with the signature that Typer reads: arguments, then options."""

    def command(**given):
        with stopping.signals():
            return function(**given)

    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter(n, keyword, annotation=a) for n, a in arguments.items()]
    for f in options:
        more = {k: v for k, v in f.metadata["typer"].items() if k != "flag"}
        more = {"metavar": "N", **more} if "min" in more else more
        name = f"{flag(f)}/{negative(f)}" if is_switch(f) else flag(f)
        option = Annotated[f.type, typer.Option(name, help=f.metadata["help"], **more)]
        parameters.append(inspect.Parameter(f.name, keyword, annotation=option, default=f.default))
    command.__signature__ = inspect.Signature(parameters)
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command
