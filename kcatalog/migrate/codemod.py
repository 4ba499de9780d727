"""One file's source in, its migrated source and what was found out; touches no files.

Names are found with `ast`, which is fast, and only the calls and imports that change are parsed
by LibCST, which keeps their formatting. Everything else stays byte for byte.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping

from kcatalog.migrate.finding import Result
from kcatalog.migrate.imports import Imports
from kcatalog.migrate.lost import list_marks, mark_attributes
from kcatalog.migrate.program import Program, position
from kcatalog.migrate.rewrite import Rewriting
from kcatalog.migrate.rewrite_keras import KerasRewriting
from kcatalog.migrate.row import Library

_REGISTERED = re.compile(r"Addons>\w+")


def migrate(
    source: str,
    libraries: Iterable[Library],
    keras3: bool = False,
    module: str | None = None,
    package: bool = False,
    exports: Mapping[str, Mapping[str, str]] | None = None,
    kept: frozenset[str] = frozenset(),
) -> Result:
    """Return the source with the names of libraries replaced.

    Args:
        source: the file's text.
        libraries: whose names to replace.
        keras3: replace `tf.keras` too.
        module: dotted path of the file, for relative imports.
        package: the file is an `__init__.py`, whose imports are there for others.
        exports: module -> name -> the path in a library that other files of the project give it.
        kept: names that other files import from this one.

    Raises:
        SyntaxError: if the source is not Python.
    """
    packages = {library.package: library for library in libraries}
    program = Program(source, packages, keras3, module, package, exports or {}, kept)
    _rewrite(program)
    Imports(program).write()
    list_marks(program)
    if "tensorflow_addons" in packages:
        _note_registered_names(program)
    return program.result()


def _rewrite(program: Program):
    """Rewrite the uses that can be, and mark the rest."""
    uses = sorted(program.names.uses(), key=lambda u: position(u.node), reverse=True)
    rewriting = Rewriting(program)
    keras = KerasRewriting(rewriting)
    while True:  # an import with uses that are left keeps its name, so others take the long path
        before = set(program.open)
        program.begin()
        rewriting.done.clear()
        for use in uses:
            first = use.path.split(".")[0]
            library = program.libraries.get(first)
            if library:
                program.used.update(use.bindings)
                rewriting.use(library, use)
            elif program.keras3 and first in ("keras", "tensorflow"):
                program.used.update(use.bindings)
                keras.use(use)
        if program.keras3:
            keras.note_tensorflow()
        if program.open == before:
            mark_attributes(program, rewriting.done.values())
            return


def _note_registered_names(program: Program):
    """Note the names under which Keras registers the parts of TensorFlow Addons."""
    for n in ast.walk(program.tree):
        if isinstance(n, ast.Constant) and isinstance(n.value, str):
            for name in _REGISTERED.findall(n.value):
                message = "saved models name it; convert them with `kcatalog migrate-model`"
                program.find(n, "note", name, message)
