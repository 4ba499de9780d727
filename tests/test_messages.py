"""Messages and help texts advise nothing that the reader does not have.

The reader has installed a wheel: there is the package, and no checkout of the repository.
"""

import ast
import dataclasses
import importlib
import importlib.util
import re
import tomllib

import pytest
import typer

from kcatalog import cli
from kcatalog.recipe import Recipe, data
from kcatalog.recipe.commands.options import COMMANDS, fields, flag
from kcatalog.recipe.commands.words import is_switch, negative
from tests.test_house_rules import PACKAGE, ROOT, SOURCES, relative

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
SOURCES_OF_DATA = [
    source()
    for source in vars(data).values()
    if isinstance(source, type) and issubclass(source, data.Source)
    if source not in (data.Source, data.Labelled, data.Pretrained)  # with options of others
]
SOURCES_OF_DATA.append(data.Pretrained(data.Images()))
FIELDS = [f for command in COMMANDS for source in SOURCES_OF_DATA for f in fields(command, source)]
OPTIONS = {*map(flag, FIELDS), *map(negative, filter(is_switch, FIELDS)), "--help"}
CATALOG = typer.main.get_command(cli.app).commands  # `kcatalog list`, `show` and so on
OTHERS = {  # programs that come with what was installed, or with the system, and their options
    "ray": {"--head", "--address"},
    "tensorboard": {"--logdir"},
    "curl": {"--data-binary"},
}
# Packages that no extra names and a message still may: their own projects say how to install them
FURTHER = {"jax[tpu]", "setuptools", "xprof", "tensorboard", "tensorflow", "pillow-heif"}


def _text(node) -> str | None:
    """Return a string as the user reads it, `{}` for what is filled in; None for other nodes."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(v.value if isinstance(v, ast.Constant) else "{}" for v in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = _text(node.left), _text(node.right)
        return None if None in parts else "".join(parts)
    return None


def _strings(node) -> list[tuple[int, str]]:
    """List the strings below a node, without docstrings."""
    text = _text(node)
    if text is not None:
        return [(node.lineno, text)]
    statement = isinstance(node, ast.Expr) and _text(node.value) is not None
    return [] if statement else [s for n in ast.iter_child_nodes(node) for s in _strings(n)]


MESSAGES = {
    path: [s for s in _strings(ast.parse(path.read_text(encoding="utf-8"))) if " " in s[1]]
    for path in SOURCES
}
PAGES = {
    path: list(enumerate(path.read_text(encoding="utf-8").splitlines(), start=1))
    for path in PACKAGE.rglob("*.html")
}


def faults(text: str, of_catalog: bool = False) -> list[str]:
    """List what a message advises and the reader does not have.

    Messages of the catalog's own commands name their options without them.
    """
    programs = [name for name in OTHERS if re.search(rf"\b{name} ", text)]
    known = OPTIONS.union(*(OTHERS[name] for name in programs))
    if "kcatalog" in text or of_catalog:
        known |= {option for c in CATALOG.values() for p in c.params for option in p.opts}
    asked = re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)
    found = [f"no option {option}" for option in asked if option not in known]
    for command in re.findall(r"pip install ([^.,;`]*)", text):
        for package in re.findall(r"[^\s\"']+", command.replace("{}", "kcatalog")):
            if not _installable(package):
                found.append(f"cannot be installed by pip: {package}")
    for command in re.findall(r"[Rr]un `([a-z]+)", text):
        if command not in {*COMMANDS, *OTHERS, "pip", "kcatalog"}:
            found.append(f"no command {command}")
    for command in re.findall(r"`kcatalog ([a-z]+)", text):
        if command not in CATALOG:
            found.append(f"no command kcatalog {command}")
    for argument in re.findall(r"Recipe(?:\(|\(\.\.\., |\.)([a-z_]+)", text):
        if argument not in {f.name for f in dataclasses.fields(Recipe)}:
            found.append(f"no argument of Recipe: {argument}")
    for name in re.findall(r"\bkcatalog(?:\.\w+)+", text):
        if not _importable(name):
            found.append(f"no {name}")
    if checkout := re.search(r"\b(recipes|docs|tests|benchmarks)/|\.md\b|Makefile|`make ", text):
        found.append(f"only in a checkout: {checkout[0]}")
    return found


def _installable(requirement: str) -> bool:
    """Return whether pip finds what is named, and a wheel has the extra."""
    name, _, extra = requirement.partition("[")
    if name == "kcatalog":
        return extra.rstrip("]") in {*EXTRAS, "{}"}
    package = re.split("[<>=!]", requirement)[0]
    return package in FURTHER | {"with", "Python"} or package.replace(".", "").isdigit()


def _importable(name: str) -> bool:
    path, _, attribute = name.rpartition(".")
    try:
        module = importlib.import_module(path)
    except ImportError:
        return False
    return hasattr(module, attribute) or importlib.util.find_spec(name) is not None


def test_messages_name_what_the_reader_has():
    wrong = [
        f"{relative(path)}, line {line}: {fault}"
        for path, texts in {**MESSAGES, **PAGES}.items()
        for line, text in texts
        for fault in faults(text, relative(path).startswith(("cli/", "conformance/", "migrate/")))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "text",
    [
        "Add --shape to the command.",
        'Install it with: pip install "kcatalog[pictures]"',
        "Install it with: pip install -e .[recipes]",
        "Install it with: pip install sklearn",
        "Run `fit` first.",
        "See `kcatalog describe`.",
        "Set Recipe(batches=...).",
        "Use kcatalog.losses.Triplets.",
        "Run python recipes/image_cnn.py.",
        "Run `make setup`.",
    ],
)
def test_each_kind_of_fault_is_found(text):
    assert faults(text)


@pytest.mark.slow
def test_packages_that_are_asked_for_are_in_the_extra_that_is_named():
    """`need(module, package)` advises to install the extra `recipes`."""
    listed = {re.split("[<>=]", requirement)[0] for requirement in EXTRAS["recipes"]}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "need":
                package = node.args[1]
                assert not isinstance(package, ast.Constant) or package.value in listed, (
                    f"{relative(path)}, line {node.lineno}: {package.value}"
                )
