"""The theory pages: every statement is held by a test that exists."""

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
