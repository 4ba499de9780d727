"""One search on many hosts: a chief hands out trials, workers train them.

Both are KerasTuner's (`wire.py`). A worker that dies gives its trial back, and whoever gets it
goes on after its last finished epoch. This is what chief and workers agree on.
"""

from __future__ import annotations

import hashlib
import inspect
import socket
from pathlib import Path

import keras

from kcatalog.recipe.terminal.errors import RecipeError

PAUSE = 0.5  # seconds until chief or worker look again whether there is something to do
WORKERS = "workers"  # the folder where they show that they live
ENDED = "ended.json"  # in a trial's folder: what its worker found


def address(text: str, option: str) -> str:
    """The "host:port" of an option; a port alone is one of this machine.

    >>> address("8500", "--chief")
    '127.0.0.1:8500'
    """
    host, _, port = text.rpartition(":")
    if not (port.isdecimal() and int(port) < 2**16 and not any(c.isspace() for c in host)):
        raise RecipeError(f"{option} must be HOST:PORT, or PORT. Received: {text!r}.")
    return f"{host or '127.0.0.1'}:{port}"


def free(text: str) -> str:
    """The address of `--chief`, at which nobody listens yet."""
    place = address(text, "--chief")
    host, _, port = place.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host.strip("[]"), int(port)), family=family).close()
    except OSError as e:
        raise RecipeError(
            f"--chief must be an address of this machine and a free port. Received: {place} ({e})."
        ) from e
    return place


def facts(recipe) -> dict[str, str]:
    """What a worker has in common with its chief, or scores could not be compared."""
    script = Path(inspect.getfile(recipe.build)).read_bytes()
    return {
        "recipe": recipe.name,
        "script": hashlib.sha256(script).hexdigest(),
        "backend": keras.backend.backend(),
        "Keras": keras.__version__,
    }


def check(theirs: dict, ours: dict) -> None:
    """Whether a worker has what its chief has."""
    for name, value in ours.items():
        if theirs.get(name) != value:
            raise RecipeError(
                f"A worker must have the same {name} as its chief: {theirs.get(name)}. "
                f"Received: {value}."
            )
