"""Docstrings of parts as text: their sections, and what a part leaves to its family."""

from __future__ import annotations

import inspect
import re
import textwrap

SECTIONS = ("Maths", "Args", "Shapes", "Behaviour", "Example")
_INHERITED = ("Args", "Shapes", "Behaviour")
_SECTION = re.compile(r"^([A-Z][A-Za-z ]+):\s*$")


def sections(docstring: str) -> dict[str, str]:
    """Split a docstring by section title; the text before the first title is under "".

    >>> sections("Adds.\\n\\nArgs:\\n    x: A number.")
    {'': 'Adds.', 'Args': 'x: A number.'}
    """
    found, title, lines = {}, "", []
    for line in [*docstring.split("\n"), None]:
        match = _SECTION.match(line) if line is not None else None
        if line is None or match:
            found[title] = inspect.cleandoc("\n" + "\n".join(lines))
            title, lines = match[1] if match else "", []
        else:
            lines.append(line)
    return found


def first_formula(maths_section: str) -> str:
    """Return the first formula of a "Maths:" section, or "".

    >>> first_formula("With `w` the weights, `y = w x`.")
    'y = w x'
    """
    code = re.findall(r"`([^`]+)`", maths_section)
    return next((" ".join(c.split()) for c in code if "=" in c or "←" in c), "")


def argument_meanings(args_section: str) -> dict[str, str]:
    """Parse the "Args:" section into argument -> meaning."""
    return {n: " ".join(text.split()) for n, text in _entries(args_section).items()}


def _entries(args_section: str) -> dict[str, str]:
    parts = re.split(r"^(\w+):\s*", args_section, flags=re.MULTILINE)
    return {n: text.rstrip() for n, text in zip(parts[1::2], parts[2::2], strict=True)}


def complete(own: str, base: str, arguments: list[str]) -> str:
    """Return a part's docstring with what it leaves to its family's.

    Shapes and Behaviour are the family's where the part has none. Args are the part's, then the
    family's, in the order of `arguments`, those that the constructor takes.

    >>> print(complete("Half.", "Any.\\n\\nArgs:\\n    x: Number.\\n    y: None.", ["x"]))
    Half.
    <BLANKLINE>
    Args:
        x: Number.
    """
    mine, family = sections(own), sections(base)
    entries = {**_entries(family.get("Args", "")), **_entries(mine.get("Args", ""))}
    kept = [n for n in arguments if n in entries]
    kept += [n for n in _entries(mine.get("Args", "")) if n not in kept]  # a check will complain
    family["Args"] = "\n".join(f"{n}: {entries[n]}" for n in kept)
    inherited = {t: family[t] for t in _INHERITED if family.get(t)}
    merged = {**inherited, **{t: x for t, x in mine.items() if t != "Args" or not inherited.get(t)}}
    titles = ["", *SECTIONS, *(t for t in merged if t and t not in SECTIONS)]
    blocks = [
        f"{t}:\n{textwrap.indent(merged[t], '    ')}" if t else merged[t]
        for t in titles
        if t in merged
    ]
    return "\n\n".join(blocks)
