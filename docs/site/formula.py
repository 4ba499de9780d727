"""Typesets the formulas of docstrings, which are written in Unicode, as HTML.

Single letters become italic, words upright, and what follows `_` or `^` an index or an exponent.
"""

from __future__ import annotations

import re
import unicodedata
from html import escape

_TOKENS = re.compile(
    r"`(?P<code>[^`]+)`"
    r"|(?P<name>[a-z]{2,}(?:_[a-z]{2,})+)"
    r"|(?P<sign>[_^])(?:\{(?P<braces>[^{}]*)\}|\((?P<brackets>[^()]*)\)|(?P<plain>-?[^\W_]+[⁺⁻₊₋]?'*))"
    r"|(?P<word>[^\W\d_]+[\u0300-\u036f]*'*)"
    r"|(?P<gap>,?\s{2,})"
)
_MARKDOWN = str.maketrans({c: f"&#{ord(c)};" for c in "*_[]`\\|~$"})
_UPRIGHT = ("Σ", "Π")


def display(formula: str) -> str:
    """Return a formula as a block of HTML."""
    return f'<div class="formula">{_typeset(formula)}</div>'


def inline(formula: str) -> str:
    """Return a formula as HTML within a paragraph of Markdown."""
    return f'<span class="formula">{_typeset(formula)}</span>'


def _typeset(formula: str) -> str:
    """Return HTML without characters that Markdown would read."""
    formula = " ".join(formula.split(" "))
    parts, end = [], 0
    for match in _TOKENS.finditer(formula):
        parts.append(_text(formula[end : match.start()]))
        parts.append(_token(match))
        end = match.end()
    return "".join([*parts, _text(formula[end:])])


def _token(match: re.Match) -> str:
    if match["code"]:
        return f"<code>{_text(match['code'])}</code>"
    if match["name"]:
        return _text(match["name"])
    if match["gap"]:
        return f"{match['gap'].strip()}&emsp;"
    if match["word"]:
        return _word(match["word"])
    inner = next(match[g] for g in ("braces", "brackets", "plain") if match[g] is not None)
    tag = "sub" if match["sign"] == "_" else "sup"
    return f"<{tag}>{_index(inner)}</{tag}>"


def _index(text: str) -> str:
    """Return an index; letters that stand together are indices of their own."""
    return re.sub(
        r"[^\W\d_]+|\W+",
        lambda m: f"<i>{m[0]}</i>" if m[0].isalpha() and len(m[0]) < 4 else _text(m[0]),
        text.replace("-", "−"),
    )


def _word(word: str) -> str:
    letters = [c for c in word if unicodedata.category(c) in ("Ll", "Lu")]
    italic = len(letters) == 1 and word not in _UPRIGHT
    return f"<i>{_text(word)}</i>" if italic else _text(word)


def _text(text: str) -> str:
    text = text.replace(" - ", " − ").replace("= -", "= −")
    return escape(text, quote=False).translate(_MARKDOWN)
