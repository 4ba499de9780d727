"""Classes for the cells of tables, so that site.css can give each column a width that fits."""

from __future__ import annotations

from docutils import nodes

SHORT, LONG = 24, 60  # characters


def mark_cells(app, doctree, docname) -> None:
    """Mark cells that must stay on one line, and cells whose text needs a wide column."""
    for cell in doctree.findall(nodes.entry):
        text = cell.astext().strip()
        heading = isinstance(cell.parent.parent, nodes.thead)
        if len(text) > LONG:
            cell["classes"].append("long")
        elif not heading and (len(text) <= SHORT or " " not in text):
            cell["classes"].append("short")
