"""TensorFlow's start without its information messages; warnings and errors stay.

TensorFlow prints messages from the level TF_CPP_MIN_LOG_LEVEL on: 0 information, 1 warnings,
2 errors, 3 fatal errors. TensorFlow 2.21 prints some information before it reads that variable,
so stderr is filtered during its import.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
from importlib.machinery import PathFinder

_VARIABLE = "TF_CPP_MIN_LOG_LEVEL"
_USERS_LEVEL = os.environ.get(_VARIABLE)
_INFORMATION = re.compile(
    rb"I\d{4} |WARNING: All log messages before absl::InitializeLog|fully_quantize: "
)


def tensorflow(level: int) -> None:
    """Set the level, unless the user has. Call it before TensorFlow is imported."""
    if _USERS_LEVEL is None:
        os.environ[_VARIABLE] = str(level)
    if _USERS_LEVEL != "0" and _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)


def retracing() -> None:
    """Leave out the warnings of retracing: a search builds many models and traces each once."""
    logging.getLogger("tensorflow").addFilter(_not_retracing)


def _not_retracing(record: logging.LogRecord) -> bool:
    return "triggered tf.function retracing" not in record.getMessage()


class _Finder:
    """Finds TensorFlow where Python does, and filters stderr while it is imported."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        spec = PathFinder.find_spec(name, path) if name == "tensorflow" else None
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def filtered(module):
                with without_information():
                    execute(module)

            spec.loader.exec_module = filtered
        return spec


@contextlib.contextmanager
def without_information():
    """Hold back what Python and C++ write to stderr, and print it at the end, filtered.

    LiteRT's converter, for instance, prints its settings at any level. If the process is killed
    meanwhile, what was held back is lost; at level 0 nothing is held back.
    """
    import tempfile

    if _USERS_LEVEL == "0":
        yield
        return

    try:
        stderr = os.fdopen(os.dup(2), "wb")
    except OSError:  # there is no stderr
        yield
        return
    with stderr, tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr.fileno(), 2)
            held.seek(0)
            stderr.writelines(line for line in held if not _INFORMATION.match(line))
