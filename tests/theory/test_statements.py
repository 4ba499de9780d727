"""The theory pages: every statement has a test that exists."""

import importlib
from pathlib import Path

import pytest

from docs.theory import statement
from docs.theory.chapters import CHAPTERS

pytestmark = pytest.mark.once


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_each_statement_names_its_test(chapter):
    module = importlib.import_module(f"docs.theory.{chapter}")
    found = statement.statements(module)
    assert len(found) >= 3
    for each in found:
        text = (Path(__file__).parent / each.file).read_text(encoding="utf-8")
        assert f"def {each.test}(" in text, each.title


def test_numbers_come_from_the_experiment():
    def area():
        """Squares have areas

        A side of 3 gives {area:.1f}.
        """
        return {"area": 9.0}, b"<svg/>"

    shown = statement.Statement(area, "test_a.py", "test_b")
    assert shown.title == "Squares have areas"
    assert shown.shown() == ("A side of 3 gives 9.0.", b"<svg/>")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (14123.0, "14,000"),
        (-6.7e-4, "-0.00067"),
        (3e8, "3.0 · 10⁸"),
        (7e-9, "7.0 · 10⁻⁹"),
        (0, "0.0"),
    ],
)
def test_numbers_are_written_without_an_e(number, text):
    def size():
        """Numbers are read

        It is {x:.1e}.
        """
        return {"x": number}, b"<svg/>"

    assert statement.Statement(size, "test_a.py", "test_b").shown()[0] == f"It is {text}."
