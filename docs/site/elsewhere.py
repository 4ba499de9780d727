"""What a part is called in other libraries, from the tables of the migration command."""

from __future__ import annotations

from docs.site.names import place
from kcatalog import registry
from kcatalog.migrate import table

GUIDES = "guides/coming_from"


def section(entry: registry.Entry) -> str:
    """Return the names of a part in other libraries, or an empty text."""
    lines, up = [], "../" * place(entry).count("/")
    for key in table.names():
        library = table.load(key)
        found = [r.name for r in library.rows.values() if entry.path in _destinations(r)]
        if found:
            calls = ", ".join(f"`{library.package}.{name}`" for name in found)
            differs = f"[What differs]({up}{GUIDES}/{key}.md)"
            lines.append(f"- {library.title}: {calls}. {differs}")
    return "\n".join(lines)


def _destinations(row: table.Row) -> set[str]:
    found = {row.to, row.otherwise.to if row.otherwise else None}
    return found - {None}
