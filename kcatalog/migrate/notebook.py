"""Notebooks: their code cells are migrated as one program, and the rest stays as it is."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterable

from kcatalog.migrate import requirements, scope
from kcatalog.migrate.finding import Finding, Result
from kcatalog.migrate.row import Library

# A unit separator, which no program contains, marks what stands for a cell's border or a magic.
_BORDER = re.compile(r"#\x1f(\d+)\n")
_MAGIC = re.compile(r"^.*#\x1fmagic (\d+)$", re.MULTILINE)
_PYTHON = re.compile(r"%%(time|timeit|capture|prun|debug)\b")  # cell magics before Python
_SHELL = re.compile(r"(?P<indent>[ \t]*)([!?]|%{1,2}[a-zA-Z]|.*\?\s*$)")
_CAPTURE = re.compile(r"(?P<target>[ \t]*[\w.,\[\]'\" ]+=[ \t]*)[!%]")
_LINES = re.compile(r"[^\n]*\n|[^\n]+")
_PIP = re.compile(r"\b(pip3?|conda|mamba|uv)\b.*\binstall\b")


class NotebookError(ValueError):
    """A file that is no notebook."""


def migrate(text: str, libraries: Iterable[Library], codemod: Callable[[str], Result]) -> Result:
    """Return a notebook with its cells migrated by `codemod`; outputs and metadata stay."""
    try:
        notebook = json.loads(text)
        cells = [c for c in _cells(notebook) if c["cell_type"] == "code"]
        sources = [_joined(c[_field(c)]) for c in cells]
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise NotebookError("it is no notebook that can be read") from e
    findings: list[Finding] = []
    magics: list[str] = []
    program = []
    for i, source in enumerate(sources):
        try:
            masked = _mask(source, magics)
            scope.parse(masked)
        except SyntaxError:
            masked = ""
            if any(library.package in source for library in libraries):
                message = "this cell is not Python; change it by hand"
                findings.append(Finding(1, "left", "cell", message, 1, i + 1))
        program.append(f"#\x1f{i}\n{masked}\n" if masked else "")
    result = codemod("".join(program))
    borders = _borders("".join(program)), _borders(result.code)
    for f in result.findings:
        cell, line = _place(borders[0], f.line)
        after = _place(borders[1], f.after)[1]
        findings.append(dataclasses.replace(f, line=line, after=after, cell=cell + 1))
    for i, code in _split(result.code):
        _replace(cells[i], sources, i, _MAGIC.sub(lambda m: magics[int(m[1])], code))
    for i, cell in enumerate(cells):
        source = _joined(cell[_field(cell)])
        installs, found = _installs(source, libraries)
        findings += [dataclasses.replace(f, cell=i + 1) for f in found]
        _replace(cell, [source], 0, installs)
    changed = [_joined(c[_field(c)]) for c in cells] != sources
    code = _dumped(notebook, text) if changed else text
    order = sorted(findings, key=lambda f: (f.cell, f.line, f.kind))
    return Result(code, tuple(order), result.needs)


def _cells(notebook: dict) -> list[dict]:
    """Return the cells of a notebook of format 4, or of the older ones."""
    if "cells" in notebook:
        return notebook["cells"]
    return [cell for sheet in notebook["worksheets"] for cell in sheet["cells"]]


def _field(cell: dict) -> str:
    return "source" if "source" in cell else "input"


def _joined(source) -> str:
    return source if isinstance(source, str) else "".join(source)


def _replace(cell, sources, i, code):
    """Set a cell's source, as text or as lines, whichever it was."""
    if code != sources[i]:
        field = _field(cell)
        cell[field] = code if isinstance(cell[field], str) else _LINES.findall(code)


def _mask(source: str, magics: list[str]) -> str:
    """Return a cell as Python: lines for IPython and the shell become statements."""
    try:
        scope.parse(source)
    except SyntaxError:
        pass
    else:
        return source
    if source.lstrip().startswith("%%") and not _PYTHON.match(source.lstrip()):
        return ""  # another language

    def hide(line, statement):
        magics.append(line)
        return f"{statement}#\x1fmagic {len(magics) - 1}"

    lines, hidden = iter(source.split("\n")), []
    for line in lines:
        shell, capture = _SHELL.match(line), _CAPTURE.match(line)
        if not (shell or capture):
            hidden.append(line)
            continue
        while line.endswith("\\"):
            line += "\n" + next(lines, "")
        statement = shell["indent"] + "pass" if shell else capture["target"] + "None"
        hidden.append(hide(line, statement))
    return "\n".join(hidden)


def _borders(program: str) -> list[tuple[int, int]]:
    """Return the line behind each cell's border, and the cell's index."""
    return [(program.count("\n", 0, m.end()) + 1, int(m[1])) for m in _BORDER.finditer(program)]


def _place(borders, line: int) -> tuple[int, int]:
    """Return the cell and the line in it of a program's line."""
    first, cell = [b for b in borders if b[0] <= line][-1]
    return cell, line - first + 1


def _split(program: str):
    """Yield the index and the source of each cell."""
    _, *parts = _BORDER.split(program)
    for i, code in zip(parts[::2], parts[1::2], strict=True):
        yield int(i), code[:-1]


def _installs(source: str, libraries: Iterable[Library]) -> tuple[str, list[Finding]]:
    """Return a cell that installs kcatalog instead of what is migrated from."""
    lines, findings = source.split("\n"), []
    for n, line in enumerate(lines):
        if not (line.lstrip()[:1] in ("!", "%") and _PIP.search(line)):
            continue
        for library in libraries:
            name = library.distribution.replace("-", "[-_.]")
            pattern = re.compile(
                rf"(?<![\w/.-])(['\"]?){name}(\[[\w,]*\])?([<>=!~]=?[\w.*,<>=!~]+)?\1(?![\w/.-])",
                re.I,
            )
            if pattern.search(line):
                lines[n] = line = pattern.sub("kcatalog", line)
                message = "-> kcatalog"
                findings.append(Finding(n + 1, "rewritten", library.distribution, message, n + 1))
        findings += requirements.pins(line, n + 1)
    return "\n".join(lines), findings


def _dumped(notebook: dict, text: str) -> str:
    """Return a notebook as JSON, set out as its file is."""
    indent = re.match(r"\{\r?\n([ \t]+)", text)
    indent = indent and (len(indent[1]) if indent[1][0] == " " else indent[1])
    separators = None if indent or ": " in text else (",", ":")
    dumped = json.dumps(notebook, indent=indent, ensure_ascii=text.isascii(), separators=separators)
    dumped += text[len(text.rstrip()) :]
    return dumped.replace("\n", "\r\n") if "\r\n" in text else dumped
