"""The option `--devices`. Asking for devices that this host does not have is an error."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from contextvars import ContextVar

import keras

from kcatalog import checks
from kcatalog.recipe.devices.base import Devices, available, words
from kcatalog.recipe.terminal.errors import RecipeError

KINDS = ("auto", "cpu", "gpu", "tpu", "all")
_REPLICAS = ContextVar("replicas", default=1)


def replicas() -> int:
    """Return the number of parts that the devices in use split a batch into."""
    return _REPLICAS.get()


def callbacks(samples: int, size: int) -> list[keras.callbacks.Callback]:
    """Return the callbacks that `fit` needs first on these devices.

    Args:
        samples: the number of samples in the validation split.
        size: the batch size of validation.
    """
    if keras.backend.backend() != "jax" or replicas() == 1:
        return []
    from kcatalog.recipe.devices import sharding

    return sharding.callbacks(samples, size)


@contextlib.contextmanager
def using(
    asked: str, hosts: int = 1, model_parallel: int = 1, layout: dict | None = None
) -> Iterator[Devices]:
    """Run the `with` block on these devices. Models have to be built in their scope.

    Args:
        asked: "auto" (one device of the best kind), "all" (every device of that kind), or "cpu",
            "gpu" or "tpu" with an optional count: "gpu:2" trains on two GPUs of each host.
        hosts: the number of hosts that train together (`kcatalog.recipe.devices.hosts`).
        model_parallel: the number of devices that the weights are split across.
        layout: how they are split, as in `Recipe`.
    """
    kind, count = resolve(asked, hosts)
    backend = keras.backend.backend()
    if model_parallel > 1 and backend != "jax":
        raise RecipeError(
            "--model-parallel needs the JAX backend (KERAS_BACKEND=jax): on other backends Keras "
            "does not split weights."
        )
    if backend == "jax":
        from kcatalog.recipe.devices import sharding

        mine = sharding.using(kind, count, hosts, model_parallel, layout)
    elif backend == "tensorflow":
        from kcatalog.recipe.devices import mirroring

        mine = mirroring.using(kind, count)
    else:
        mine = _torch(kind, count)
    with mine as used:
        token = _REPLICAS.set(used.replicas)
        try:
            yield used
        finally:
            _REPLICAS.reset(token)


def parse(asked: str) -> tuple[str, int]:
    """Return the kind and the number that `--devices` names."""
    match = re.fullmatch(r"([a-z]+)(?::([1-9]\d*))?", asked.lower())
    if not match or match[1] not in KINDS or (match[1] in ("auto", "all") and match[2]):
        raise RecipeError(
            f"--devices must be auto, all, or cpu, gpu or tpu with an optional count (gpu:2). "
            f"Received: {asked!r}. {checks.closest(asked.split(':')[0], KINDS)}"
        )
    return match[1], int(match[2] or 1)


def resolve(asked: str, hosts: int) -> tuple[str, int]:
    """Return the kind of the requested devices, and their number on each host."""
    kind, count = parse(asked)
    if kind in ("auto", "all"):
        everything = kind == "all" or hosts > 1
        kind = next((k for k in ("tpu", "gpu") if available(k)), "cpu")
        count = available(kind) if everything else 1
    if kind == "cpu":
        return kind, count  # one CPU is split into the number asked for
    found = available(kind)
    if found < count:
        raise RecipeError(
            f"--devices {asked} asks for {words(kind, count)}, but the "
            f"{keras.backend.backend()} backend finds {found or 'none'}. "
            "Use --devices cpu, or see `kcatalog doctor`."
        )
    return kind, count


@contextlib.contextmanager
def _torch(kind: str, count: int) -> Iterator[Devices]:
    if count > 1:
        raise RecipeError(
            f"--devices {kind}:{count} needs the TensorFlow or JAX backend: Keras trains on one "
            "device with PyTorch."
        )
    with keras.device(
        "cpu" if kind == "cpu" else "gpu:0"
    ):  # with "cpu:0", Keras loses torch's Parameters
        yield Devices(words(kind, 1))
