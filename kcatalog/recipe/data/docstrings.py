"""Docstrings of the standard library, by the chapter of its manual that documents the module."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from pathlib import Path

from kcatalog.recipe.data.encoding import read_text

SHORTEST = 5  # words
# Chapters of "The Python Standard Library", with modules that are written in Python.
CHAPTERS = {
    "concurrency": "threading multiprocessing concurrent subprocess queue sched",
    "data types": "datetime _pydatetime calendar collections _collections_abc enum types weakref",
    "development": "unittest doctest pydoc typing bdb pdb timeit trace tracemalloc",
    "files": "pathlib shutil tempfile glob fnmatch filecmp fileinput tarfile zipfile gzip bz2 lzma",
    "internet data": "email mailbox json base64 mimetypes quopri",
    "internet protocols": "http urllib wsgiref ftplib poplib imaplib smtplib socketserver xmlrpc",
    "language": "importlib inspect ast symtable tokenize dis pkgutil runpy modulefinder",
    "markup": "html xml",
    "networking": "asyncio socket ssl selectors",
    "numbers": "_pydecimal numbers fractions random statistics",
}


def labelled() -> list[tuple[str, str]]:
    """Return each docstring once, with its chapter; those of several chapters are left out."""
    library, found = Path(ast.__file__).parent, {}
    for chapter, modules in CHAPTERS.items():
        for module in modules.split():
            package = library / module
            files = sorted(package.rglob("*.py")) or [package.with_suffix(".py")]
            for file in filter(Path.exists, files):  # a version of Python may lack some
                for text in _docstrings(file):
                    found.setdefault(text, set()).add(chapter)
    return [(text, *chapters) for text, chapters in found.items() if len(chapters) == 1]


def _docstrings(file: Path) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes in strings
        tree = ast.parse(read_text(file))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node) or ""
            if len(text.split()) >= SHORTEST:
                yield text
