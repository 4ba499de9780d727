"""The console of recipes."""

import io

from rich.table import Table

from kcatalog.recipe.terminal import output


def test_names_are_printed_as_they_are():
    names = ["[a].png", "[/b].png", ":smile:.png"]
    table = Table("file")
    for name in names:
        table.add_row(name)
    console = output.console(file=io.StringIO(), width=80)
    for printed in (*names, table):
        console.print(printed)
    for name in names:
        console.rule(name)
        assert console.file.getvalue().count(name) == 3
