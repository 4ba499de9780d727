"""Renders the tables of other libraries as the generated part of docs/coming_from.md."""

from __future__ import annotations

import re

from kcatalog.migrate.row import PLACEHOLDER, Library, Row

TITLES = {
    "": "The package itself",
    "rnn": "Recurrent cells",
    "seq2seq": "Sequence to sequence",
    "image": "Images",
    "text": "Text",
    "types": "Type hints",
    "options": "Options",
}


def section(library: Library) -> str:
    """Return a library's rows as Markdown: one table for each of its modules."""
    modules: dict[str, list[Row]] = {}
    for row in library.rows.values():
        modules.setdefault(row.module, []).append(row)
    parts = [summary(library)]
    for module, rows in modules.items():
        if len(modules) > 1:
            title = TITLES.get(module) or module.replace("_", " ").replace(".", ": ").capitalize()
            parts.append(f"### {title}")
        parts.append("\n".join(["| old | new | arguments | what differs |", "|---|---|---|---|"]))
        parts[-1] += "".join(f"\n{line(row)}" for row in rows)
    return "\n\n".join(parts)


def summary(library: Library) -> str:
    """Return how many names are rewritten, left with a hint, or have no counterpart."""
    rows = library.rows.values()
    hints = sum(bool(row.to and row.hint) for row in rows)
    none = sum(not row.to and not row.delete for row in rows)
    rewritten = len(rows) - hints - none
    if not library.rewrite:
        return f"{len(rows)} names of {library.title} {library.version}; to be replaced by hand."
    return (
        f"{len(rows)} names of {library.title} {library.version}: `kcatalog migrate` rewrites "
        f"{rewritten}, marks {hints} with what to do, and {none} have no counterpart."
    )


def line(row: Row) -> str:
    """Return one row of a table."""
    to = f"`{row.to}`" if row.to else "deleted" if row.delete else "none"
    cells = [f"`{row.name.rpartition('.')[2]}`", to, arguments(row), difference(row)]
    return "| " + " | ".join(_cell(text) for text in cells) + " |"


def arguments(row: Row) -> str:
    """Return what happens to the arguments of a call, in words."""
    if row.hint or not row.to:
        return ""
    parts = []
    if row.expression:
        parts.append(f"written as `{_call(row)}`")
    if row.into:
        parts.append(f"goes into the call that is `{row.into}`")
    parts += [f"`{a}` → `{b}`" for a, b in row.rename.items()]
    for x, known in row.values.items():
        new = row.rename.get(x, x)
        pairs = [f"`{k}` → `{v}`" for k, v in known.items() if _new_value(k, v)]
        parts += [f"`{new}`: {', '.join(pairs)}"] if pairs else []
    parts += [f"`{k}={_names(v)}`" for k, v in row.compute.items() if len(v) < 60]
    parts += [f"`{k}={v}`" for k, v in row.add.items()]
    defaults = row.signature.defaults if row.signature else {}
    stated = [x for x in row.state if x not in row.drop and not row.values.get(x)]
    parts += [f"`{row.rename.get(x, x)}={defaults[x]}` is stated" for x in stated]
    dropped = [x for x in row.drop if not _uses(row, x)]
    parts += [f"without `{'`, `'.join(dropped)}`"] if dropped else []
    if row.otherwise:
        form = row.otherwise
        more = f"`{_call(form)}`" if form.expression else f"`{form.to}`"
        parts.append(f"otherwise {more}")
    by_hand = [x for x in row.leave if x not in row.values and not row.otherwise]
    parts += [f"by hand: `{'`, `'.join(by_hand)}`"] if by_hand else []
    return "; ".join(parts)


def difference(row: Row) -> str:
    """Return what a user has to know: the reason, the hint, what differs, and where to look."""
    texts = [row.reason, row.hint, row.differs, row.also, row.todo]
    form = row.otherwise
    texts += [form.differs, form.also, form.todo] if form else []
    texts = dict.fromkeys(filter(None, texts))
    return " ".join(text if text.endswith(".") else f"{text}." for text in texts)


def _new_value(old: str, new: str) -> bool:
    return bool(new) and new not in (old, "{}") and "Reduction" not in old and old != "*"


def _uses(row: Row, x: str) -> bool:
    texts = [*row.compute.values(), row.expression or ""]
    return any(x in PLACEHOLDER.findall(text) for text in texts)


def _call(row: Row) -> str:
    name = ".".join(row.to.split(".")[-2:])
    return _names(row.expression.replace("{call}", f"{name}(...)"))


def _names(text: str) -> str:
    """Return a template with the names of old arguments in its places."""
    return PLACEHOLDER.sub(lambda m: m[1], text)


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")
