"""A page for each part, written from its card, its docstring and its source as text."""

from __future__ import annotations

import ast
import doctest
import functools
import os
import re
from html import escape, unescape
from pathlib import Path

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from docs.site import checked, cost, elsewhere, formula, names
from docs.site.pages import ROOT, contents
from kcatalog import card, registry

_CODE = re.compile(r"`([^`]+)`")
_PATH = re.compile(r"`((?:kcatalog|keras)\.[\w.]+)`")
_DOCTEST = re.compile(r"^>>>", re.MULTILINE)
GENERAL = ("Loss", "Metric", "Optimizer", "Wrapper")  # bases that say no more than the kind
KIND_TITLES = {"schedules": "Learning-rate schedules"}


def part_pages(typeset: bool = True, plots: dict[str, bytes] | None = None) -> dict[str, str]:
    """Return the pages of all parts and of their kinds, place -> Markdown.

    Args:
        typeset: write formulas and sources as HTML; else as plain Markdown.
        plots: the plots that there are, place -> SVG.
    """
    found = {names.place(e): page(e, typeset, plots or {}) for e in registry.find()}
    for kind in registry.SHELVES:
        for origin in ("kcatalog", "keras"):
            entries = registry.find(kind=kind, origin=origin)
            if entries:
                place = str(Path(names.place(entries[0])).parent / "index.md")
                found[place] = _kind_page(kind, origin, entries)
    return found


def page(e: registry.Entry, typeset: bool, plots: dict[str, bytes]) -> str:
    """Return a part's page."""
    ours, here = e.origin == "kcatalog", names.place(e)
    blocks = [f"# {e.name}", f"`{e.path}`", f"**{e.summary}**"]
    if e.equation:
        blocks.append(formula.display(e.equation) if typeset else f"    {e.equation}")
    plot = f"plots/{e.kind}/{e.name}.svg"
    if ours and plot in plots:
        blocks.append(_figure(e.name, os.path.relpath(plot, Path(here).parent), plots[plot]))
    if ours:
        blocks.append(names.linked(e.about, here))
    else:
        more = f"`help({e.path})` prints its documentation."
        blocks.append(f"A part of Keras, with the search space that the tuner uses. {more}")
    if e.card.paper:
        p = e.card.paper
        where = f", {p.where}" if p.where else ""
        blocks.append(f"**Paper:** {p.authors} ({p.year}). [{p.title}]({p.link}){where}.")
    if e.card.better:
        blocks.append(f"**Better:** {e.card.better}.")
    if e.card.tags:
        claims = "\n".join(f"- `{t}`: {card.TAGS[t]}" for t in e.card.tags)
        blocks += ["## Properties", "Each is tested.", claims]
    if "Maths" in e.sections:
        blocks += ["## Maths", _maths(e, typeset)]
    if e.arguments:
        blocks += ["## Arguments", "\n\n".join(_argument(a, ours) for a in e.arguments)]
    for title in ("Shapes", "Behaviour") if ours else ():
        if title in e.sections:
            blocks += [f"## {title}", names.linked(_lines(e.sections[title]), here)]
    if "Example" in e.sections and ours:
        blocks += ["## Example", _example(e, here)]
    blocks += ["### Use it" if ours else "## Use it", _in_use(e)]
    if e.card.space:
        rows = [f"| `{name}` | {_cell(str(s))} |" for name, s in e.card.space.items()]
        head = ["| argument | values |", "|---|---|"]
        blocks += ["## Search space", "The values that the tuner tries.", "\n".join(head + rows)]
    if ours and (tests := checked.section(e)):
        blocks += ["## What was checked", tests]
    forms = checked.exports(e) if ours else {}
    if forms:
        rows = "\n".join(f"- {form}: {answer}" for form, answer in forms.items())
        blocks += ["## Export", rows]
    for title, text in (
        ("Cost", cost.section(e)),
        ("In other libraries", elsewhere.section(e)),
        ("Related parts", _related(e, here)),
        ("Source", _source(e, typeset)),
    ):
        if text:
            blocks += [f"## {title}", text]
    return "\n\n".join(b for b in blocks if b) + "\n"


def _kind_page(kind: str, origin: str, entries: list[registry.Entry]) -> str:
    """Return the page of a kind: its parts in a table, layers by family."""
    title = KIND_TITLES.get(kind, kind.capitalize())
    lines = [f"# {title}" if origin == "kcatalog" else f"# {title} of Keras"]
    families: dict[str, list[str]] = {}
    for e in entries:
        folder = Path(e.file).parent.name if kind == "layers" and e.file else ""
        row = f"| [{e.name}]({e.name}.md) | {_cell(e.summary)} |"
        if e.card.paper:
            p = e.card.paper
            row += f" [{p.authors.split(',')[0]} {p.year}]({p.link}) |"
        families.setdefault(folder, []).append(row)
    head = ["| part | what it does | source |", "|---|---|---|"]
    head = head if origin == "kcatalog" else ["| part | what it does |", "|---|---|"]
    for family, rows in sorted(families.items()):
        lines += [f"## {family.replace('_', ' ').capitalize()}"] if family else []
        lines.append("\n".join(head + rows))
    return "\n\n".join(lines) + "\n" + contents(e.name for e in entries)


def _figure(name: str, place: str, svg: bytes) -> str:
    """Return a plot with its caption, which is the title of the SVG."""
    title = re.search(rb"<title>(.*?)</title>", svg, re.DOTALL)
    caption = unescape(title[1].decode()) if title else ""
    return f"```{{figure}} {place}\n:alt: Plot of {name}\n\n{caption}\n```"


# --- sections ---------------------------------------------------------------------------


def _maths(e: registry.Entry, typeset: bool) -> str:
    text = _lines(e.sections["Maths"])
    if not typeset:
        return text
    arguments = {a.name for a in e.arguments}

    def code(match):
        words = " ".join(match[1].split())
        plain = words in arguments or "kcatalog." in words or "keras." in words
        return f"`{words}`" if plain or '"' in words else formula.inline(words)

    return names.linked(_CODE.sub(code, text), names.place(e))


def _argument(a, ours: bool) -> str:
    """Return an argument as an entry of a definition list."""
    default = "required" if a.required else f"default `{a.default!r}`"
    known = not a.rule or a.rule.split(" in ")[-1] in a.meaning or not ours
    words = " ".join([a.meaning if ours else "", "" if known else f"({a.rule})"]).strip()
    return f"`{a.name}` ({default})\n: {words or 'See Keras.'}"


# Names that a docstring's example takes from the part's own file.
_IMPORTS = {
    "keras": "import keras",
    "math": "import math",
    "np": "import numpy as np",
    "ops": "from keras import ops",
}
# Lines that put a part of a kind to use.
_IN_USE = {
    "losses": ['model.compile(optimizer="adam", loss=part)  # your model', "model.fit(x, y)"],
    "optimizers": ['model.compile(part, loss="mse")  # your model and its loss', "model.fit(x, y)"],
}
_ATTACH = "kcatalog.training.attach(model)  # adds the second gradient"


def _example(e: registry.Entry, here: str) -> str:
    """Return an example: its prose as prose, its session as code that begins with its imports."""
    blocks, imports = [], _imports(e)
    for block in re.split(r"\n\s*\n", e.sections["Example"]):
        if _DOCTEST.search(block):
            session = "".join(f">>> {line}\n" for line in imports) + block
            blocks.append(_fenced(session, "pycon"))
            imports = []
        else:
            blocks.append(names.linked(_lines(block), here))
    return "\n\n".join(blocks)


def _imports(e: registry.Entry) -> list[str]:
    """Return the imports that the example of a part needs and does not write."""
    code = "".join(x.source for x in doctest.DocTestParser().get_examples(e.sections["Example"]))
    nodes = list(ast.walk(ast.parse(code)))
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    written = {a.asname or a.name for node in nodes for a in getattr(node, "names", ())}
    module = e.path.rpartition(".")[0]
    imports = _IMPORTS | {e.name: f"from {module} import {e.name}"}
    return [line for name, line in imports.items() if name in used - written]


def _in_use(e: registry.Entry) -> str:
    """Return code that constructs a part; of losses and optimizers, that trains with it."""
    lines = list(_IN_USE.get(e.kind, ()))
    if "second-gradient" in e.card.tags:
        lines.insert(1, _ATTACH)
    return _fenced("\n".join([e.example_code(), *lines]))


def _related(e: registry.Entry, here: str) -> str:
    """Return links to the parts that this one speaks of or that speak of it, and to its family."""
    spoken = [
        x
        for x in registry.catalog()
        if x is not e and (x.path in _mentions()[e.path] or e.path in _mentions()[x.path])
    ]
    family = []
    if e.origin == "kcatalog" and _family(e):
        same = (x for x in registry.catalog() if (x.kind, x.origin) == (e.kind, e.origin))
        family = [x for x in same if x is not e and x not in spoken and _family(x) == _family(e)]
    lines = [
        f"- [{x.name}]({os.path.relpath(names.place(x), Path(here).parent)}): {x.summary}"
        for x in [*spoken, *family][:12]
    ]
    return "\n".join(lines)


@functools.cache
def _mentions() -> dict[str, set[str]]:
    """Return the full paths that each part of kcatalog speaks of."""
    found = {}
    for e in registry.find():
        words = f"{e.about} {' '.join(e.sections.values())}" if e.origin == "kcatalog" else ""
        found[e.path] = set(_PATH.findall(words))
    return found


@functools.cache
def _family_of(file: str, name: str) -> str:
    """Return the class that a part derives from, by its bare name; an empty text for Keras's."""
    base = re.search(rf"^class {name}\((\w+)\)", Path(file).read_text(encoding="utf-8"), re.M)
    return base[1] if base and base[1] not in GENERAL else ""


def _family(e: registry.Entry) -> str:
    """Return the base class of kcatalog that a part shares with others, or a layer's folder."""
    if e.kind == "layers":
        return Path(e.file).parent.name
    return _family_of(e.file, e.name)


def _source(e: registry.Entry, typeset: bool) -> str:
    """Return the code of a part, without its docstring."""
    if e.origin != "kcatalog":
        return ""
    text = Path(e.file).read_text(encoding="utf-8")
    node = next(n for n in ast.parse(text).body if isinstance(n, ast.ClassDef) and n.name == e.name)
    lines, doc = text.splitlines(), node.body[0]
    code = "\n".join(lines[node.lineno - 1 : doc.lineno - 1] + lines[doc.end_lineno :]).strip()
    file = f"`{Path(e.file).relative_to(ROOT).as_posix()}`, without the docstring:"
    if not typeset:
        return f"{file}\n\n{_fenced(code)}"
    html = highlight(code, PythonLexer(), HtmlFormatter(cssclass="highlight"))
    html = f"<details><summary>Show the code</summary>\n{html}</details>"
    return f"{file}\n\n```{{raw}} html\n{html}\n```"


# --- text -------------------------------------------------------------------------------


def _fenced(code: str, language: str = "python") -> str:
    return f"```{language}\n{code}\n```"


def _lines(text: str) -> str:
    """Join the lines of a docstring that are one sentence; others begin a paragraph."""
    text = re.sub(r"(?<![.:;])\n(?=[^\n])", " ", text)
    return re.sub(r"(?<=[.:;])\n(?=`)", "\n\n", re.sub(r" {2,}", " ", text))


def _cell(text: str) -> str:
    return escape(text, quote=False).replace("|", "\\|")
