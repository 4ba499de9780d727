"""kcatalog: the parts bin that Keras 3 does not ship.

`import kcatalog` is all a saved model needs to load: once Keras is imported, before or
after, every part is registered with it. Keras itself is not imported here, so that the
command line can list and show parts without waiting for a backend.
"""

import importlib

from wrapt import when_imported

from kcatalog import quiet

__version__ = "0.1.0"

KINDS = (
    "layers",
    "losses",
    "metrics",
    "regularizers",
    "constraints",
    "initializers",
    "optimizers",
    "callbacks",
    "samplers",
)

quiet.tensorflow(level=1)


@when_imported("keras")
def _register_parts(keras):
    for kind in KINDS:
        importlib.import_module(f"{__name__}.{kind}")


def __getattr__(name):
    if name in (*KINDS, "conformance", "ops", "registry"):
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *KINDS, "conformance", "ops", "registry"])
