"""Promises of the project: versions, deprecations, types, a citation."""

import ast
import itertools
import re
import tomllib
from pathlib import Path

import pytest

import kcatalog

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PAGE = (ROOT / "docs" / "support.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| (\w+) \| ([\d.]+ \| [\d.]+) \|$", PAGE, re.MULTILINE))


@pytest.mark.parametrize("name", [n for n in ROWS if n != "Python"])
def test_the_table_has_the_versions_of_the_project(name):
    package = {"PyTorch": "torch"}.get(name, name.lower())
    extras = PROJECT["optional-dependencies"].values()
    required = [*PROJECT["dependencies"], *itertools.chain(*extras)]
    oldest = [r for r in required if re.match(rf"{package}>=", r)]
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    tested = re.search(rf"^{package}==(.+)$", pins, re.MULTILINE)[1]
    assert ROWS[name] == f"{re.search('>=([0-9.]+)', oldest[0])[1]} | {tested}"


def test_the_table_names_all_backends_and_the_oldest_python():
    assert set(ROWS) >= {"Python", "Keras", "TensorFlow", "JAX", "PyTorch"}
    assert ROWS["Python"].split(" | ")[0] == PROJECT["requires-python"].removeprefix(">=")


def silent_deprecations(text):
    """Return the deprecations in a source that lack the successor or the version without it."""
    calls = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)]
    warned = [c for c in calls if "DeprecationWarning" in map(ast.unparse, c.args)]
    found = [ast.unparse(c) for c in warned]
    rules = (r"kcatalog \d+\.\d+", r"\b[Uu]se\b")
    return [call for call in found if not all(re.search(rule, call) for rule in rules)]


@pytest.mark.parametrize(
    ("message", "silent"),
    [
        ("`a` goes in kcatalog 0.3. Use `b`.", False),
        ("`a` goes in kcatalog 0.3.", True),
        ("`a` is deprecated. Use `b`.", True),
    ],
)
def test_a_silent_deprecation_is_found(message, silent):
    assert bool(silent_deprecations(f"warnings.warn({message!r}, DeprecationWarning)")) == silent


def test_a_deprecation_names_the_successor_and_the_version_without_it():
    for file in (ROOT / "kcatalog").rglob("*.py"):
        assert silent_deprecations(file.read_text(encoding="utf-8")) == [], file


def test_type_checkers_see_the_kinds_and_read_the_annotations():
    assert (ROOT / "kcatalog" / "py.typed").exists()
    source = (ROOT / "kcatalog" / "__init__.py").read_text(encoding="utf-8")
    seen = set(re.findall(r"from kcatalog import (\w+) as \1$", source, re.MULTILINE))
    assert seen == set(kcatalog.KINDS) | {"conformance", "ops", "registry", "training"}


def test_the_citation_has_the_version():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {kcatalog.__version__}\n" in citation
