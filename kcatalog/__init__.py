"""kcatalog: the parts bin that Keras 3 does not ship.

`import kcatalog` is all a saved model needs to load: once Keras is imported, before or
after, every part is registered with it. Keras itself is not imported here, so that the
command line can list and show parts without waiting for a backend.
"""

import importlib
from typing import TYPE_CHECKING

from wrapt import when_imported

from kcatalog import quiet

if TYPE_CHECKING:  # what `__getattr__` imports when it is asked for
    from kcatalog import callbacks as callbacks
    from kcatalog import conformance as conformance
    from kcatalog import constraints as constraints
    from kcatalog import initializers as initializers
    from kcatalog import layers as layers
    from kcatalog import losses as losses
    from kcatalog import metrics as metrics
    from kcatalog import ops as ops
    from kcatalog import optimizers as optimizers
    from kcatalog import registry as registry
    from kcatalog import regularizers as regularizers
    from kcatalog import samplers as samplers
    from kcatalog import training as training

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
_FURTHER = ("conformance", "ops", "registry", "training")

quiet.tensorflow(level=1)


@when_imported("keras")
def _register_parts(keras):
    for kind in KINDS:
        importlib.import_module(f"{__name__}.{kind}")


def __getattr__(name):
    if name in (*KINDS, *_FURTHER):
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *KINDS, *_FURTHER])
