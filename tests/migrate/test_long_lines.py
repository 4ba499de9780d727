"""Lines that a migration made too long."""

import ast

import pytest

from kcatalog.migrate import codemod, long_lines, program, table

pytestmark = pytest.mark.once

A = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa"


def broken(code, was=0):
    """Break all lines of a source, and check that it means the same and fits."""
    changed = dict.fromkeys(range(1, code.count("\n") + 1), was)
    result, _ = long_lines.broken(code, changed, "\n")
    assert ast.dump(ast.parse(result)) == ast.dump(ast.parse(code))
    return result


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"x = f({A}, {A}, {A})\n", f"x = f({A}, {A}, {A})\n"),
        (f"x = f({A}, {A}, {A}, 1)\n", f"x = f(\n    {A}, {A}, {A}, 1\n)\n"),
        (
            f"if a:\n\tx = f({A}, k={A}, *{A}, **{A},)\n",
            f"if a:\n\tx = f(\n\t\t{A},\n\t\tk={A},\n\t\t*{A},\n\t\t**{A},\n\t)\n",
        ),
        (
            f"x = f(g({A}, ({A})), (h, ({A})), {A})  # why\n",
            f"x = f(\n    g({A}, ({A})),\n    (h, ({A})),\n    {A},\n)  # why\n",
        ),
        (
            f"x = g({A}, {A}, {A}, 1)(x).y\n",
            f"x = g(\n    {A}, {A}, {A}, 1\n)(x).y\n",
        ),
        (
            f"x = [{A} for a in {A} if f(1, 2)] + [{A}, 2]\n",
            f"x = [{A} for a in {A} if f(1, 2)] + [\n    {A}, 2\n]\n",
        ),
        (
            f"x = any({A} for {A} in {A} if {A} is None)\n",
            f"x = any(\n    {A} for {A} in {A} if {A} is None\n)\n",
        ),
        (
            f"from m import {A}, {A}, {A} as b\n",
            f"from m import (\n    {A}, {A}, {A} as b\n)\n",
        ),
        (
            f"from m import ({A}, {A}, {A}, {A},)\n",
            f"from m import (\n    {A},\n    {A},\n    {A},\n    {A},\n)\n",
        ),
        (f'x = f"{{f({A}, {A}, {A}, {A})}}"\n', f'x = f"{{f({A}, {A}, {A}, {A})}}"\n'),
        (f"# f({A}, {A}, {A}, {A})\n", f"# f({A}, {A}, {A}, {A})\n"),
        (f"x = '{A}', '{A}', '{A}', '{A}'\n", f"x = '{A}', '{A}', '{A}', '{A}'\n"),
    ],
)
def test_broken(before, after):
    assert broken(before) == after


def test_a_line_that_was_as_long_stays():
    line = f"x = f({A}, {A}, {A}, {A})\n"
    assert broken(line, was=len(line)) == line
    source = f"import tensorflow as tf\nx = tf.keras.Input({A}, {A}, {A}, {A})\ny = {line}"
    result = codemod.migrate(source, [], keras3=True).code
    assert result == source.replace("import tensorflow as tf", "import keras").replace(
        "tf.keras", "keras"
    )


def test_lines_of_a_migrated_program():
    """A call that became long is broken, and findings behind it have their lines."""
    source = """import tensorflow_addons as tfa
model.compile(
    loss="mse",
    optimizer=tfa.optimizers.RectifiedAdam(1e-3, total_steps=10000, min_lr=1e-5),
)
tfa.text.parse_time(1)
"""
    tables = [table.load("tensorflow_addons")]
    for newline in ("\n", "\r\n"):
        result = codemod.migrate(source.replace("\n", newline), tables)
        lines = result.code.split(newline)
        assert max(len(x) for x in lines if program.MARK not in x) <= long_lines.LIMIT
        assert "    optimizer=kcatalog.optimizers.RectifiedAdam(" in lines
        assert "            int(10000 * 0.1) - 1," in lines
        assert lines[result.of("left")[0].after - 1] == "tfa.text.parse_time(1)"
        assert lines[result.of("note")[0].after - 1].startswith("    optimizer=")
        assert codemod.migrate(result.code, tables).code == result.code
    assert any("ReduceLROnPlateau" in f.message for f in result.of("note"))
