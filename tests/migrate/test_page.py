"""docs/coming_from.md is current, and its example is what the codemod writes."""

import importlib
import importlib.util
import re
from pathlib import Path

import pytest

import kcatalog
from kcatalog.migrate import codemod, page, table

pytestmark = pytest.mark.once
ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "coming_from.md"


def test_tables_are_current():
    spec = importlib.util.spec_from_file_location("build", ROOT / "docs" / "build_coming_from.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    text = PAGE.read_text(encoding="utf-8")
    assert build.render(text) == text, "run `make readme`"


def test_example():
    """The second program is the first one migrated, and it runs."""
    programs = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    before, after, *_ = programs
    library = table.load("tensorflow_addons")
    assert codemod.migrate(before, [library], keras3=True).code == after
    exec(after, {})  # noqa: S102 - what the page shows


def test_words_are_explained():
    """Each word of the column of arguments stands in the list above the first table."""
    above = PAGE.read_text(encoding="utf-8").partition("| old |")[0]
    explained = {
        _words(line) for line in above.splitlines() if line.startswith("- `") or "`: " in line
    }
    rows = [row for key in table.names() for row in table.load(key).rows.values()]
    used = {_words(part) for row in rows for part in re.split("; |, (?=`)", page.arguments(row))}
    assert {"is stated", "otherwise", "by hand", "written as", "without"} <= used
    assert used - {""} <= explained


def _words(text):
    """Return the words before a colon that ends a phrase, without code."""
    text = re.sub(r"`[^`]*`", "", text.removeprefix("- "))
    return " ".join(re.findall(r"[\w→]+", text.partition(": ")[0]))


def test_rows():
    library = table.parse(
        """
        [library]
        title = "Old"
        version = "1"
        distribution = "old"
        package = "old"
        ["losses.A"]
        to = "kcatalog.losses.Pinball"
        signature = "a=1, b='x|y', c=None, d=2"
        rename.a = "tau"
        values.b = { "'x|y'" = "'z'" }
        drop = ["c"]
        state = ["d"]
        differs = "Less"
        test = "value"
        ["losses.B"]
        reason = "Gone."
        ["metrics.C"]
        to = "keras.metrics.Mean"
        hint = "Take a mean."
        test = "value"
        """,
        "old",
    )
    text = page.section(library)
    changes = r"`a` → `tau`; `b`: `'x\\|y'` → `'z'`; `d=2` is stated; without `c`"
    assert (
        f"| `A` | `kcatalog.losses.Pinball` | {changes.replace(chr(92) * 2, chr(92))} | Less. |"
        in text
    )
    assert "| `B` | none |  | Gone. |" in text
    assert "| `C` | `keras.metrics.Mean` |  | Take a mean. |" in text
    assert "rewrites 1, marks 1 with what to do, and 1 have no counterpart" in text


def test_no_aliases():
    """Each part and operation has one public name; old names are answered by `kcatalog show`."""
    text = PAGE.read_text(encoding="utf-8")
    assert "kcatalog show" in text
    for kind in (*kcatalog.KINDS, "ops"):
        module = importlib.import_module(f"kcatalog.{kind}")
        things = {n: x for n, x in vars(module).items() if callable(x) and not n.startswith("_")}
        assert things
        assert all(x.__name__ == n for n, x in things.items()), kind
