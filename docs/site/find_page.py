"""The page on which to find a part: one table of all parts, ours and Keras's, with filters."""

from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path

from docs.site import checked, names
from docs.site.pages import contents
from kcatalog import card, registry, search

FORMS = (".keras", "SavedModel", "LiteRT", "ONNX")


def find_page() -> dict[str, str]:
    """Return the page, place -> Markdown."""
    entries = registry.find()
    rows = "\n".join(_row(e) for e in entries)
    tags = sorted({t for e in entries for t in e.card.tags})
    kinds = [k for k in registry.SHELVES if registry.find(kind=k)]
    filters = "\n".join(
        [
            '<label>Text <input type="search" name="text" placeholder="name or paper"></label>',
            _select("kind", kinds),
            _select("tag", tags, tips=card.TAGS),
            _select("backend", checked.BACKENDS, checked.BACKENDS),
            _select("export", FORMS),
            _select("origin", ("kcatalog", "keras"), {"keras": "Keras, for the tuner"}),
        ]
    )
    head = "".join(f"<th>{t}</th>" for t in ("part", "kind", "what it does", "source"))
    folders = list(dict.fromkeys(str(Path(names.place(e)).parent) for e in entries))
    keras = len(registry.find(origin="keras"))
    return {
        "parts/index.md": f"""# Find a part

Filter by name, kind, tag, backend or export format. Names of other libraries find their
replacement. `kcatalog list --text triplet` searches the same list in a terminal.

```{{raw}} html
<form class="find" role="search" data-synonyms="{escape(json.dumps(search.SYNONYMS))}">
{filters}
<output aria-live="polite">{len(entries)} parts</output>
</form>
<table class="table find"><thead><tr>{head}</tr></thead>
<tbody>
{rows}
</tbody></table>
```

- **Backend:** no check of the part fails there.
- **Export:** the test suite converts the part to this format and runs it. LiteRT and ONNX are
  tried for recurrent layers.
- **Keras:** the {keras} parts of Keras whose search space the tuner knows; `keras.io` lists all.
{contents(f"{folder.removeprefix('parts/')}/index" for folder in folders)}"""
    }


def _select(name: str, values, titles: dict | None = None, tips: dict | None = None) -> str:
    """Return a filter.

    Args:
        name: its name.
        values: the values to choose from.
        titles: value -> what the list shows instead.
        tips: value -> a sentence that the browser shows beside the pointer.
    """
    options = "".join(
        f'<option value="{escape(v)}" title="{escape((tips or {}).get(v, ""))}">'
        f"{escape((titles or {}).get(v, v))}</option>"
        for v in values
    )
    return (
        f"<label>{name.capitalize()} "
        f'<select name="{name}"><option value="">all</option>{options}</select></label>'
    )


def _row(e: registry.Entry) -> str:
    """Return a row; the filters read its attributes."""
    forms = [form for form, answer in checked.exports(e).items() if answer == "yes"]
    page = names.place(e).removeprefix("parts/").replace(".md", ".html")
    paper = e.card.paper
    source = ""
    if paper:
        short = f"{paper.authors.split(',')[0]} {paper.year}"
        source = f'<a href="{escape(paper.link)}" title="{escape(paper.title)}">{escape(short)}</a>'
    elif e.origin == "keras":
        source = "Keras"
    facts = {
        "kind": e.kind,
        "tag": " ".join(e.card.tags),
        "backend": " ".join(checked.backends(e)),
        "export": " ".join(forms),
        "origin": e.origin,
        "text": search.words(e),
    }
    data = " ".join(f'data-{name}="{escape(value)}"' for name, value in facts.items())
    name = f'<a href="{page}">{e.name}</a>'
    summary = re.sub("`([^`]+)`", r"<code>\1</code>", escape(e.summary))
    return f"<tr {data}><td>{name}</td><td>{e.kind}</td><td>{summary}</td><td>{source}</td></tr>"
