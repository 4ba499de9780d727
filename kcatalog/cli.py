"""The command line: `kcatalog --help` lists its commands.

`list`, `show`, `recipes` and `copy` read files as text and answer without importing Keras.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import importlib
import importlib.util
import json
import os
import re
import sys
import traceback
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import Progress
from rich.table import Table

from kcatalog import card, checks, quiet, registry, shelf, source

app = typer.Typer(
    help="Parts for Keras 3: layers, losses, metrics, optimizer wrappers and more.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console()


class UsageError(Exception):
    """An error of the user's input. Its message is printed, and the exit code is 2."""


def main():
    """Run the command line. Errors that the user can fix print one sentence and exit with 2."""
    try:
        app()
    except (UsageError, LookupError, source.SourceError) as e:
        message = e.args[0] if e.args else str(e)
        Console(stderr=True).print(f"[red]Error:[/] {escape(str(message))}", highlight=False)
        sys.exit(2)


# --- list and show ----------------------------------------------------------------------


@app.command("list")
def list_parts(
    kind: Annotated[
        str | None, typer.Option(help="Only this kind: layers, losses, optimizers, ...")
    ] = None,
    tag: Annotated[
        str | None, typer.Option(help="Only parts with this tag, such as masking.")
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="Search name, summary, formula and paper.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
):
    """List kcatalog's parts, and the parts of Keras that recipes and the tuner use."""
    _known("kind", kind, registry.SHELVES)
    _known("tag", tag, card.TAGS)
    entries = registry.find(kind, tag, text)
    if as_json:
        print(json.dumps([facts(e) for e in entries], indent=2, ensure_ascii=False))
        return
    for title in registry.SHELVES:
        rows = [e for e in entries if e.kind == title]
        if rows:
            console.print(f"\n[bold]{title}[/]")
            table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
            for e in rows:
                mark = {"kcatalog": "", "keras": "Keras: "}.get(e.origin, f"{e.origin}: ")
                table.add_row(f"  {e.name}", f"[dim]{mark}[/]{escape(e.summary)}")
            console.print(table, highlight=False)
    origins = Counter({"kcatalog": 0, "keras": 0})
    origins.update(e.origin for e in entries)
    counts = [f"{n} in {'Keras' if o == 'keras' else o}" for o, n in origins.items()]
    hint = "" if entries else " Leave out a filter to see more."
    console.print(f"\n{', '.join(counts)}.{hint}", style="dim")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A part, such as TripletHard or losses.TripletHard.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
):
    """Show the reference of a part, with its paper, search space and an example."""
    e = registry.describe(name)
    if as_json:
        print(json.dumps(facts(e), indent=2, ensure_ascii=False))
        return
    say = lambda text="", **style: console.print(escape(text), highlight=False, **style)  # noqa: E731
    say(e.path, style="bold")
    say(e.summary)
    if e.about and e.origin == "kcatalog":
        say(f"\n{e.about}")
    if e.equation:
        say(f"\n  {e.equation}")
    if e.card.paper:
        say(f"\nPaper: {e.card.paper}")
    if e.card.tags:
        say("Tags: " + ", ".join(f"{t} ({card.TAGS[t]})" for t in e.card.tags))
    if e.card.better:
        say(f"Better: {e.card.better}")
    if e.arguments:
        say("\nArguments", style="bold")
    for a in e.arguments:
        default = "required" if a.required else f"= {a.default!r}"
        console.print(f"  [bold]{a.name}[/] {escape(default)}", highlight=False)
        stated = not a.rule or a.rule.split(" in ")[-1] in a.meaning
        rule = "" if stated or a.rule.isidentifier() else f" ({a.rule})"  # no name of a constant
        console.print(Padding(escape(a.meaning + rule), (0, 0, 0, 6)), highlight=False)
    for title in ("Maths", "Shapes", "Behaviour"):
        if title in e.sections:
            say(f"\n{title}", style="bold")
            console.print(Padding(escape(_unwrapped(e.sections[title])), (0, 0, 0, 2)))
    if e.card.space:
        say("\nSearch space", style="bold")
        for argument, space in e.card.space.items():
            say(f"  {argument}: {space}")
    say("\nExample", style="bold")
    say(e.example_code())


def _unwrapped(text: str) -> str:
    """Join the lines of a section that belong together."""
    return re.sub(r"(?<![.:;])\n(?=[^\s`])", " ", text)


def facts(e: registry.Entry) -> dict:
    """Return an entry as JSON-ready data."""
    return {
        "name": e.name,
        "kind": e.kind,
        "path": e.path,
        "origin": e.origin,
        "summary": e.summary,
        "equation": e.equation,
        "paper": dataclasses.asdict(e.card.paper) if e.card.paper else None,
        "tags": list(e.card.tags),
        "better": str(e.card.better) if e.card.better else None,
        "arguments": [dataclasses.asdict(a) for a in e.arguments],
        "shapes": e.sections.get("Shapes", ""),
        "search_space": {k: str(v) for k, v in e.card.space.items()},
        "example": e.example_code(),
    }


def _known(what: str, value: str | None, options):
    if value is not None and value not in options:
        raise UsageError(f"There is no {what} {value!r}. {checks.closest(value, options)}")


# --- check ------------------------------------------------------------------------------


@app.command()
def check(
    target: Annotated[
        str, typer.Argument(help="Your class, as module:Class, or the name of a part.")
    ],
    args: Annotated[
        str,
        typer.Option(help="Constructor arguments, such as \"units=8, activation='relu'\"."),
    ] = "",
    shape: Annotated[
        list[str] | None,
        typer.Option(help="One sample's shape, such as 5,8. Repeat it for several inputs."),
    ] = None,
    predictions: Annotated[
        str | None,
        typer.Option(help="Predictions of a loss or metric: real, probabilities, tokens, ..."),
    ] = None,
    targets: Annotated[
        str | None, typer.Option(help="Targets of a loss or metric: real, labels, one_hot, ...")
    ] = None,
    ids: Annotated[
        int | None, typer.Option(help="Give a layer whole numbers below this one as input.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
):
    """Run the conformance suite on your class or on a part of the catalog.

    A class without a card makes no claims, and the checks of claims are left out.
    """
    quiet.tensorflow(level=3)
    from kcatalog.conformance import CheckError, CheckSkipped, backend, check_one_by_one, descent

    if backend.NAME == "tensorflow":  # checks of wrappers and in-batch losses use two replicas
        with contextlib.suppress(CheckSkipped):  # as they then are
            descent.two_cpus()
    cls = _load(target)
    data = {"predictions": predictions, "targets": targets}
    if ids is not None:
        data |= {"predictions": "tokens", "classes": ids}
    data = {name: value for name, value in data.items() if value is not None}
    shapes = [_shape(text) for text in shape or []]
    results, shape = [], shapes[0] if len(shapes) == 1 else shapes or None
    try:
        for r in check_one_by_one(cls, _keywords(args), shape, **data):
            if not results:
                _heading(cls, r)
            results.append(r)
            _show_result(r, debug)
    except CheckError as e:
        raise UsageError(str(e)) from e
    failed, skipped = sum(not r.passed for r in results), sum(r.skipped for r in results)
    passed = len(results) - failed - skipped
    console.print(f"{cls.__name__}: {passed} passed, {failed} failed, {skipped} skipped")
    raise typer.Exit(1 if failed else 0)


def _heading(cls: type, first) -> None:
    console.print(escape(f"Checking {first.check.subject.described()}"), highlight=False)
    if registry.card_of(cls) is None:
        console.print("It has no card: checks of what a card claims are left out.")


def _show_result(r, debug: bool) -> None:
    """Print how a check ended, as soon as it has."""
    expected = " (expected: " + r.check.exemption + ")" if r.check.exemption else ""
    mark = "[green]pass[/]" if r.passed else "[red]FAIL[/]"
    mark = "[yellow]skip[/]" if r.skipped else mark
    console.print(f"{mark}  {escape(r.check.name)}{escape(expected)}", highlight=False)
    if r.skipped:
        console.print(f"      {escape(str(r.error))}", style="dim")
    elif r.error and not r.passed:
        notes = "".join(f"\n{note}" for note in getattr(r.error, "__notes__", ()))
        text = f"{type(r.error).__name__}: {r.error}{notes}"
        console.print(Padding(escape(text), (0, 0, 0, 6)), style="red")
        if debug:
            console.print(escape("".join(traceback.format_exception(r.error))), style="dim")


def _shape(text: str) -> tuple[int, ...]:
    """Return a shape written as `5,8`; `()` is that of one number."""
    try:
        return tuple(int(n) for n in text.strip("() ").split(",") if n.strip())
    except ValueError as e:
        raise UsageError(
            f"--shape must be whole numbers with commas between them, such as 5,8. Received: {text}"
        ) from e


def _keywords(text: str) -> dict:
    """Return arguments as Python writes them. A Keras object among them becomes a `Part`."""

    def value(node):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args:
            path = ast.unparse(node.func)
            return card.Part(path, **{k.arg: value(k.value) for k in node.keywords})
        return ast.literal_eval(node)

    try:
        call = ast.parse(f"f({text})", mode="eval").body
        if call.args:
            raise ValueError("an argument has no name")
        return {k.arg: value(k.value) for k in call.keywords}
    except (SyntaxError, ValueError) as e:
        raise UsageError(
            '--args must be keyword arguments with literal values, such as "units=8, '
            f'rate=0.1", or Keras objects, such as "layer=keras.layers.Dense(units=3)". '
            f"Received: {text}"
        ) from e


def _load(target: str) -> type:
    if ":" not in target:
        return registry.describe(target).load()
    module_name, _, class_name = target.partition(":")
    sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as e:
        raise UsageError(
            f"There is no module {e.name!r} to import from {os.getcwd()}. "
            "Give module:Class, for instance my_layers:MyLayer."
        ) from e
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        classes = [n for n, v in vars(module).items() if isinstance(v, type)]
        hint = checks.closest(class_name, classes) if classes else "It defines no class."
        raise UsageError(f"{module_name} has no class {class_name!r}. {hint}")
    try:
        registry.kind_of(found)
    except TypeError as e:
        raise UsageError(str(e)) from e
    return found


# --- new --------------------------------------------------------------------------------


@app.command()
def new(
    kind: Annotated[str, typer.Argument(help="A kind of part, such as layer, loss or metric.")],
    name: Annotated[str, typer.Argument(help="The class, such as MyLayer.")],
    folder: Annotated[Path, typer.Argument(help="The folder for it, such as a package.")] = Path(),
):
    """Write a part of your own to start from, with its test and, in a package, its export.

    The part works and passes the conformance suite as it is. Change it into yours.
    """
    from kcatalog.new import KINDS, NewPartError, write_part

    _known("kind", kind, KINDS)
    try:
        files = write_part(kind, name, folder)
    except NewPartError as e:
        raise UsageError(str(e)) from e
    for file in files:
        console.print(f"Wrote {file}", highlight=False, soft_wrap=True)
    console.print(f"Try it with: python -m pytest {files[1]}", highlight=False, soft_wrap=True)


# --- recipes ----------------------------------------------------------------------------


@app.command()
def recipes():
    """List the recipes: what each is for, the data it takes, and what it scores by default."""
    for recipe in shelf.recipes():
        console.print(f"\n[bold]{recipe.name}[/]")
        for text in (recipe.summary, recipe.data):
            console.print(Padding(escape(text), (0, 0, 0, 2)), highlight=False)
        if recipe.result:
            console.print(Padding(escape(recipe.result), (0, 0, 0, 2)), style="dim")
    console.print("\nRun one with `kcatalog run NAME`; `kcatalog copy NAME` gives you its script.")


@app.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
def run(
    call: typer.Context,
    name: Annotated[str, typer.Argument(help="A recipe, such as image_cnn, or --help.")],
):
    """Run a recipe; what follows its name is the recipe's, such as tune, --data or --help."""
    if name == "--help":
        print(call.get_help())
        return
    shelf.run(shelf.find(name), call.args)


@app.command()
def copy(
    name: Annotated[str, typer.Argument(help="A recipe, such as image_cnn.")],
    target: Annotated[Path, typer.Argument(help="A new file, or a folder for it.")] = Path(),
):
    """Copy a recipe's script: a file of your own, which runs with python."""
    recipe = shelf.find(name)
    try:
        file = shelf.copy(recipe, target)
    except FileExistsError as e:
        raise UsageError(f"{e.filename} exists already. Name another file.") from e
    except FileNotFoundError as e:
        raise UsageError(f"There is no folder {target.parent}. Make it first.") from e
    console.print(f"{file} is yours. Run it with: python {file}", highlight=False)


# --- migrate ----------------------------------------------------------------------------


@app.command()
def migrate(
    paths: Annotated[list[Path], typer.Argument(help="Python files, notebooks, or folders.")],
    diff: Annotated[bool, typer.Option("--diff", help="Print the change as a diff.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Change the files.")] = False,
    keras3: Annotated[
        bool, typer.Option("--keras3", help="Replace tf.keras by keras, too.")
    ] = False,
    library: Annotated[
        list[str] | None,
        typer.Option(help="Only this library, such as tensorflow_addons. Repeat it for several."),
    ] = None,
):
    """Rewrite programs that use TensorFlow Addons and other libraries.

    Without --write, no file is changed. The exit code is 1 if something is left to do by hand;
    it is marked in the files.
    """
    if importlib.util.find_spec("libcst") is None:
        raise UsageError("LibCST is missing. Install it with: pip install 'kcatalog[migrate]'")
    from kcatalog.migrate import report, run, table

    for name in library or ():
        _known("library", name, table.names())
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise UsageError(f"There is no {missing[0]}.")
    if diff and write:
        raise UsageError("Give --diff or --write, not both.")
    rewritable = [name for name in table.names() if table.load(name).rewrite]
    options = run.Options(tuple(library or rewritable), keras3)
    log = Console(stderr=True)
    with Progress(console=log, transient=True) as bar:
        task = bar.add_task("Migrating", total=None)
        outcomes = run.run(paths, options, lambda n, of: bar.update(task, completed=n, total=of))
        if write:
            outcomes = [run.write(o) if o.changed else o for o in outcomes]
    if diff:
        print("".join(o.diff() for o in outcomes if o.changed), end="")
    report.report(outcomes, write, log if diff else console)
    raise typer.Exit(1 if any(o.open for o in outcomes) else 0)


@app.command("migrate-model")
def migrate_model(
    old: Annotated[
        Path, typer.Argument(help="A .h5 or .keras file of Keras 2: a model or weights.")
    ],
    new: Annotated[Path, typer.Argument(help="The .keras file to write.")],
    config: Annotated[
        Path | None, typer.Option(help="For weights: the old model's JSON, from to_json().")
    ] = None,
    into: Annotated[
        Path | None, typer.Option(help="For weights: a new .keras model that receives them.")
    ] = None,
    samples: Annotated[
        Path | None, typer.Option(help="Inputs to compare predictions on, .npy or .npz.")
    ] = None,
    expected: Annotated[
        Path | None, typer.Option(help="The old model's predictions for them, .npy or .npz.")
    ] = None,
    tolerance: Annotated[
        float, typer.Option(help="Largest difference of predictions that is accepted.")
    ] = 1e-4,
    modules: Annotated[
        list[str] | None,
        typer.Option("--import", help="Module with parts of your own, registered for Keras 3."),
    ] = None,
):
    """Rebuild a model of Keras 2 and TensorFlow Addons for Keras 3.

    Neither TensorFlow Addons nor Keras 2 is needed. The file is written whole or not at all, and
    only if predictions agree. The exit code is 1 if they do not.
    """
    quiet.tensorflow(level=3)
    sys.path.insert(0, os.getcwd())
    for module in modules or ():
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as e:
            raise UsageError(f"There is no module {e.name!r} to import.") from e
    from kcatalog.migrate.models.error import ModelError
    from kcatalog.migrate.models.migrate import migrate_model

    try:
        result = migrate_model(old, new, config, into, samples, expected, tolerance)
    except ModelError as e:
        raise UsageError(str(e)) from e
    for note in result.notes:
        console.print(f"[yellow]Note:[/] {escape(note)}", highlight=False)
    if result.difference is not None:
        console.print(f"Largest difference of predictions: {result.difference:.2g}")
    if result.differs:
        console.print(f"{new} was not written: --tolerance is {tolerance:g}.", highlight=False)
        raise typer.Exit(1)
    console.print(f"Wrote {new}.", highlight=False)


# --- doctor -----------------------------------------------------------------------------


@app.command()
def doctor():
    """Show versions and devices, and what is missing for GPU, TPU and export."""
    from kcatalog.doctor import report

    report(console)
