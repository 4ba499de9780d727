"""Lines that say what a project installs, and that do not fit a migrated program."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from kcatalog.migrate.finding import Finding
from kcatalog.migrate.job import Options, Outcome, read

FILES = re.compile(
    r"(.*requirements.*|constraints.*)\.(txt|in)|pyproject\.toml|setup\.(py|cfg)|Pipfile"
    r"|environment.*\.ya?ml|conda.*\.ya?ml|Dockerfile.*|tox\.ini"
)
OLDEST = {"keras": "3.13", "python": "3.11", "tensorflow": "2.20"}  # as in pyproject.toml
_ENDED = "tensorflow-gpu"
_OP, _VERSION = r"(?:===|[=~!<>]=|[<>^~:])", r"\d[\w.*+]*"
_CLAUSE = re.compile(rf"({_OP})?\s*v?({_VERSION})")
_PIN = re.compile(
    rf"""(?<![\w.-])
    (?P<name>(tensorflow|keras|python)(-gpu|-cpu|-intel|-macos|_requires)?|requires-python)(?![\w-])
    (\[[\w,-]*\])?["']?                                 # extras
    (?P<sets>\s*=(?!=)\s*(\{{\s*version\s*=\s*)?["']?)?  # conda, Poetry, an argument of setup
    \s*(?P<spec>{_OP}?\s*v?{_VERSION}(\s*,\s*{_OP}\s*{_VERSION})*)?""",
    re.IGNORECASE | re.VERBOSE,
)


def check(files: Iterable[Path], options: Options, migrated: bool) -> list[Outcome]:
    """Return what is to change in files that say what to install.

    Args:
        files: the files.
        options: whose names to look for.
        migrated: programs are migrated, so that old versions of Keras do not run them any more.
    """
    names = {t.distribution: re.sub("[-_.]", "[-_.]", t.distribution) for t in options.tables()}
    lines = {file: _lines(file) for file in files}
    found = {file: list(_mentions(text, names)) for file, text in lines.items()}
    if migrated or any(found.values()):
        for file, text in lines.items():
            found[file] += [f for n, line in text.items() for f in pins(line, n)]
    order = {file: sorted(f, key=lambda f: f.line) for file, f in found.items() if f}
    return [Outcome(file, findings=tuple(findings)) for file, findings in order.items()]


def _lines(file: Path) -> dict[int, str]:
    """Return the lines of a file by their numbers, without comments."""
    lines = read(file).decode(errors="replace").splitlines()
    return {n: re.sub(r"(^|\s)#.*", "", line) for n, line in enumerate(lines, start=1)}


def _mentions(lines: Mapping[int, str], names: Mapping[str, str]):
    for n, line in lines.items():
        for name, pattern in names.items():
            if re.search(rf"(?<![\w-]){pattern}(?![\w-])", line, re.IGNORECASE):
                yield Finding(n, "left", name, "install kcatalog instead", n)


def pins(line: str, number: int) -> list[Finding]:
    """Return the versions in a line that are too old for kcatalog."""
    found = []
    for m in _PIN.finditer(line):
        name, spec = m["name"], m["spec"] or ""
        oldest = next(v for package, v in OLDEST.items() if package in name.lower())
        is_prose = spec[:1].isdigit() and not m["sets"]  # as in "python 3"
        if name.lower() == _ENDED:
            message = f"it ended with version 2.12; install tensorflow>={OLDEST['tensorflow']}"
        elif spec and not is_prose and not _allows(spec, oldest):
            message = (
                f"`{spec}` excludes the versions that kcatalog runs on; allow {oldest} or newer"
            )
        else:
            continue
        found.append(Finding(number, "left", name, message, number))
    return found


def _allows(spec: str, oldest: str) -> bool:
    """Return whether a pin, of pip, conda, Poetry or Docker, allows a version not below another."""
    clauses, named = [], []
    for op, text in _CLAUSE.findall(spec):
        version = text.removesuffix(".*")
        named.append(version)
        if op in ("", "~", ":"):
            clauses.append(f"=={version}.*")
        elif op == "^":
            clauses += [f">={version}", f"<{int(version.split('.')[0]) + 1}"]
        else:
            clauses.append(op + text)
    major, minor = map(int, oldest.split("."))
    try:
        allowed = SpecifierSet(",".join(clauses))
        newer = [v for v in named if Version(v) >= Version(oldest)]
    except (InvalidSpecifier, ValueError):
        return True
    return any(v in allowed for v in (*newer, *(f"{major}.{n}" for n in range(minor, 100))))
