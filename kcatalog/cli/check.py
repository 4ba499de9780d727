"""`kcatalog check`: the conformance suite on a class of yours."""

from __future__ import annotations

import ast
import contextlib
import importlib
import os
import sys
import traceback
from typing import Annotated

import typer
from rich.markup import escape
from rich.padding import Padding

from kcatalog import card, checks, quiet, registry
from kcatalog.cli.terminal import UsageError, app, console


@app.command()
def check(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET", help="Your class, as module:Class, or the name of a part."
        ),
    ],
    args: Annotated[
        str,
        typer.Option(
            metavar="ARGUMENTS",
            help="Constructor arguments, such as \"units=8, activation='relu'\".",
        ),
    ] = "",
    shape: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SIZES",
            help="Shape of one sample, such as 5,8; repeatable, for several inputs.",
        ),
    ] = None,
    predictions: Annotated[
        str | None,
        typer.Option(
            metavar="SORT", help="Loss or metric: real, probabilities, cosines, boxes or tokens."
        ),
    ] = None,
    targets: Annotated[
        str | None,
        typer.Option(
            metavar="SORT", help="Loss or metric: real, labels, one_hot, binary, signs or boxes."
        ),
    ] = None,
    ids: Annotated[
        int | None,
        typer.Option(metavar="N", help="Give a layer integers below N as input, such as tokens."),
    ] = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of a failed check.")
    ] = False,
):
    """Check a Keras class of yours, or a part of the catalog.

    The checks cover saving, shapes, precision, gradients and more. Arguments and data that are not
    given come from the class's card, or else are guessed. A class without a card (`@component`)
    makes no claims, so checks of claims are left out.
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
