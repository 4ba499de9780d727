"""The command line of every recipe: the whole way, or one step of it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from kcatalog.recipe.commands.options import (
    MANY,
    MONITORING,
    OPTIONS,
    PLACE,
    SETTINGS,
    SPREAD,
    TUNING,
)
from kcatalog.recipe.files import disk
from kcatalog.recipe.terminal import output, stopping
from kcatalog.recipe.terminal.errors import RecipeError

USAGE_ERROR = 2


def run(recipe, arguments: list[str] | None = None) -> int:
    """Run a recipe's command line. Returns the exit code.

    0: done. 1: a bug, or an error nobody foresaw. 2: wrong input, one sentence on stderr. 130, 143:
    stopped by Ctrl-C or SIGTERM.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        result = _app(recipe)(args=arguments, standalone_mode=False)
    except typer.TyperException as e:  # usage errors
        if "--debug" in arguments:
            raise
        return _say(e.format_message(), e.exit_code)
    except RecipeError as e:
        if "--debug" in arguments:
            raise
        return _say(str(e), USAGE_ERROR)
    except stopping.Stopped as e:
        return _say(str(e), e.code)
    except Exception as e:  # the last resort, so that a user sees a sentence
        if "--debug" in arguments:
            raise
        if reason := disk.disk_error(e):
            return _say(f"{reason}. What is finished is kept: mend it, and add --resume.", 2)
        first = str(e).strip().splitlines()[:1]
        return _say(f"{type(e).__name__}: {''.join(first)} (--debug shows where)", 1)
    return result if isinstance(result, int) else 0


def _say(sentence: str, code: int) -> int:
    output.console(stderr=True).print(sentence)
    return code


def _app(recipe) -> typer.Typer:
    from kcatalog.recipe.commands.start import Options
    from kcatalog.recipe.commands.steps import Steps
    from kcatalog.recipe.devices import hosts

    about = inspect.getdoc(inspect.getmodule(recipe.build)) or f"The recipe {recipe.name}."
    about = about.replace("\n\n ", "\n\n\b\n ")  # lines of examples stay lines
    app = typer.Typer(
        help=about, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
    )

    def everything(context: typer.Context, **chosen):
        if context.invoked_subcommand is None:
            Steps(recipe, Options(**chosen)).everything()
        elif any(chosen[name] != OPTIONS[name][1] for name in chosen):
            raise RecipeError(f"Options must stand behind `{context.invoked_subcommand}`.")

    names = (*SETTINGS, *TUNING, *PLACE, *MONITORING, "variants", "resume")
    app.callback(invoke_without_command=True)(_with_options(everything, names))
    commands = {
        "tune": (
            "Try hyperparameters, keep the best.",
            (*SETTINGS, *TUNING, *SPREAD, *PLACE, "resume"),
        ),
        "train": (
            "Train with the best hyperparameters.",
            (*SETTINGS, *PLACE, *MANY, *MONITORING, "resume"),
        ),
        "evaluate": ("Score the trained model on the test split.", PLACE),
        "export": (
            "Write a SavedModel, and verify it in a clean process.",
            (*PLACE, "variants", "keep_versions"),
        ),
    }
    for name, (help_text, options) in commands.items():

        def step(name=name, **chosen):
            asked = Options(**chosen)
            with hosts.together(asked.hosts, asked.host_index) as us:
                getattr(Steps(recipe, asked, us), name)()

        app.command(name, help=help_text)(_with_options(step, options))

    def trial(folder: Path, **chosen):
        Steps(recipe, Options(**chosen)).trial(folder)

    folder = {"folder": (Annotated[Path, typer.Argument()], ...)}
    app.command("trial", hidden=True)(_with_options(trial, (*PLACE, "trial_memory"), folder))

    def predict(files: Annotated[list[Path], typer.Argument()], length: int, seed, debug):
        from kcatalog.recipe.commands import predict

        predict.predict(recipe, files, length, seed or 0)

    files = {"files": (Annotated[list[Path], typer.Argument(help="Your files.")], ...)}
    app.command("predict", help="Run the exported model on your files.")(
        _with_options(predict, ("length", "seed", "debug"), files)
    )

    def serve(port: int, version: int | None, debug):
        from kcatalog.recipe import serve

        serve.serve(recipe, port, version)

    app.command("serve", help="Try the exported model out over HTTP, on this machine alone.")(
        _with_options(serve, ("port", "version", "debug"))
    )
    return app


def _with_options(function: Callable, names: tuple[str, ...], arguments: dict | None = None):
    """The function with a signature made of `OPTIONS`, which is what Typer reads."""
    takes_context = "context" in inspect.signature(function).parameters

    def command(**chosen):
        with stopping.signals():
            return function(**chosen)

    wanted = {"context": (typer.Context, inspect.Parameter.empty)} if takes_context else {}
    wanted |= (arguments or {}) | {
        name: OPTIONS[name] for name in sorted(names, key=list(OPTIONS).index)
    }
    command.__signature__ = inspect.Signature(
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=kind,
            default=inspect.Parameter.empty if default is ... else default,
        )
        for name, (kind, default) in wanted.items()
    )
    command.__annotations__ = {name: kind for name, (kind, _) in wanted.items()}
    return command
