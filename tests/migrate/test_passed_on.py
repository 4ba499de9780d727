"""Names that are passed on, not called, and attributes that their objects lose."""

import dataclasses

import pytest

from kcatalog.migrate import codemod, program, table

pytestmark = pytest.mark.once

OLD = table.parse(
    """
[library]
title = "Old"
version = "1.0"
distribution = "old-lib"
package = "old"

["optimizers.Decay"]
to = "keras.optimizers.SGD"
signature = "decay, rate=0.1, **kwargs"
numbers = ["rate"]
compute.weight_decay = "{decay} / {rate}"
reference = "lambda decay, **k: kcatalog.optimizers.Wrapper(keras.optimizers.SGD(**k), decay)"
gone = { exclude = "Name what to exclude", "swap()" = "Delete the call" }
differs = "It follows the rate."
test = "value"

["optimizers.Decay".otherwise]
to = "kcatalog.optimizers.Wrapper"
drop = ["decay", "rate"]
differs = ""
also = "A schedule is fine."

["optimizers.extend"]
to = "kcatalog.optimizers.Wrapper"
signature = "base"
expression = "lambda *, base={base}: kcatalog.optimizers.Wrapper(base())"
test = "value"

["SWITCH"]
reason = "Nothing is switched."
delete = true
""",
    "old",
)
LAMBDA = "lambda decay, **k: kcatalog.optimizers.Wrapper(keras.optimizers.SGD(**k), decay)"
EXTENDED = "lambda *, base=f: kcatalog.optimizers.Wrapper(base())"
HEAD = "import old\nfrom old.optimizers import Decay\n"


def migrated(use):
    """Return what becomes of a use, without the imports, and the result."""
    result = codemod.migrate(f"{HEAD}{use}\n", [OLD])
    again = codemod.migrate(result.code, [OLD])
    assert again.code == result.code
    assert len(again.of("left")) == len(result.of("left"))
    lines = [x for x in result.code.splitlines() if not x.startswith(("import ", "from "))]
    return "\n".join(lines), result


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def f(): return Decay", f"def f(): return {LAMBDA}"),
        ("make = old.optimizers.Decay", f"make = {LAMBDA}"),
        ("made = {'d': Decay, 's': [Decay]}", f"made = {{'d': {LAMBDA}, 's': [{LAMBDA}]}}"),
        ("make = Decay if x else f", f"make = ({LAMBDA}) if x else f"),
        ("made = Decay,", f"made = ({LAMBDA}),"),
        ("x.assertIsInstance(y, Decay)", "x.assertIsInstance(y, (keras.optimizers.SGD, "
         "kcatalog.optimizers.Wrapper))"),
        ("made = old.optimizers.extend(f)", f"made = {EXTENDED}"),
        ("made = old.optimizers.extend(f)()", f"made = ({EXTENDED})()"),
        ("if x:\n    old.SWITCH = True", "if x:\n    pass"),
    ],
)  # fmt: skip
def test_rewritten(before, after):
    code, result = migrated(before)
    assert "".join(code.split()) == "".join(after.split())  # long lines are broken
    assert not result.of("left")


@pytest.mark.parametrize(
    ("use", "message"),
    [
        ("x = kind is Decay", "may be used as a class"),
        ("x = f(Decay)", "may be used as a class"),
        ("x = f(kind=Decay)", "may be used as a class"),
        ("def f(kind=Decay): pass", "may be used as a class"),
        ("kind = Decay\nclass A(kind): pass", "may be used as a class"),
        ("kind = Decay\nx = f(kind)", "may be used as a class"),
        ("class A(old.optimizers.extend(B)): pass", "a class derives from it"),
        ("class A(Decay): pass", "a subclass depends"),
        ("x = old.SWITCH", "Nothing is switched"),
        ("x = getattr(old.optimizers, name)", "write a dictionary"),
    ],
)
def test_left(use, message):
    (found,) = migrated(use)[1].of("left")
    assert message in found.message


def test_notes_are_those_of_the_form():
    """A form that has notes of its own shows them in place of the row's."""
    for call, notes in (("1, 2", ["It follows the rate."]), ("1, f()", ["A schedule is fine."])):
        assert [f.message for f in migrated(f"x = Decay({call})")[1].of("note")] == notes


@pytest.mark.parametrize(
    ("use", "names"),
    [
        ("x.swap()", ["swap()"]),
        ("x.exclude = ['bias']\nf(exclude=3)", ["exclude", "exclude"]),
        ("if hasattr(x, 'exclude'): pass", ["exclude"]),
        ("x.swap = x.exclude()\nexclude, swap = 3, 'exclude'", []),
    ],
)
def test_attributes_that_are_gone(use, names):
    """They are marked where the name was rewritten, and only there."""
    found = migrated(f"x = Decay(1, 2)\n{use}")[1].of("left")
    assert [f.name for f in found] == [f"optimizers.Decay.{name}" for name in names]
    assert codemod.migrate(f"import old\n{use}\n", [OLD]).of("left") == []


def test_a_mark_is_listed_until_it_is_removed():
    code = migrated("x = Decay(1, 2)\nx.swap()")[1].code
    (found,) = codemod.migrate(code, [OLD]).of("left")
    assert code.splitlines()[found.line - 1].startswith(program.MARK)
    assert (found.name, found.message) == (
        "optimizers.Decay.swap()",
        "Delete the call. Then remove the comment",
    )
    assert not codemod.migrate(code.replace(program.MARK, "# "), [OLD]).of("left")


@pytest.mark.parametrize("arguments", ["*values", "**options", "0.1, **options"])
def test_hidden_arguments(arguments):
    """Call what stands for the name: it takes all arguments by their old names."""
    code, result = migrated(f"x = Decay({arguments})")
    assert "".join(code.split()) == "".join(f"x = ({LAMBDA})({arguments})".split())
    assert not result.of("left")


def test_hidden_arguments_of_other_names():
    """An argument that is renamed may be among those that are hidden."""
    row = OLD.rows["optimizers.Decay"]
    plain = dataclasses.replace(row, reference="keras.optimizers.SGD", rename={"rate": "lr"})
    library = dataclasses.replace(OLD, rows={"optimizers.Decay": plain})
    result = codemod.migrate(f"{HEAD}x = Decay(**options)\n", [library])
    assert "hides arguments" in result.of("left")[0].message
