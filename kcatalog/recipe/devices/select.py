"""One option for all devices; what was asked for and is not there is an error."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from contextvars import ContextVar

import keras

from kcatalog import checks
from kcatalog.recipe.devices.base import Devices, present, words
from kcatalog.recipe.terminal.errors import RecipeError

KINDS = ("auto", "cpu", "gpu", "tpu", "all")
_REPLICAS = ContextVar("replicas", default=1)


def replicas() -> int:
    """Into how many parts the devices in use split a batch."""
    return _REPLICAS.get()


def feeding(samples: int, size: int) -> list[keras.callbacks.Callback]:
    """What `fit` needs as its first callback, for a validation split of so many samples in
    batches of this size."""
    if keras.backend.backend() != "jax" or replicas() == 1:
        return []
    from kcatalog.recipe.devices import sharding

    return sharding.feeding(samples, size)


@contextlib.contextmanager
def using(
    asked: str, hosts: int = 1, model_parallel: int = 1, layout: dict | None = None
) -> Iterator[Devices]:
    """Everything inside runs on these devices, if models are built in their scope.

    Args:
        asked: "auto" (one of the best kind present), "all" (every one of that kind), "cpu", "gpu"
            or "tpu", these with an optional count: "gpu:2" trains on two GPUs of each host, every
            one on its part of a batch.
        hosts: how many hosts train together (`kcatalog.recipe.devices.hosts`).
        model_parallel: across how many devices the weights are split.
        layout: how, as in `Recipe`.
    """
    kind, count = understood(asked, hosts)
    backend = keras.backend.backend()
    if model_parallel > 1 and backend != "jax":
        raise RecipeError(
            "--model-parallel needs the JAX backend (KERAS_BACKEND=jax): on others Keras splits "
            "no weights among devices."
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
            f"--devices must be auto, cpu, gpu, tpu or all, with a count if you like (gpu:2). "
            f"Received: {asked!r}. {checks.closest(asked.split(':')[0], KINDS)}"
        )
    return match[1], int(match[2] or 1)


def understood(asked: str, hosts: int) -> tuple[str, int]:
    """The kind and number (on each host) of the devices asked for."""
    kind, count = parse(asked)
    if kind in ("auto", "all"):
        everything = kind == "all" or hosts > 1
        kind = next((k for k in ("tpu", "gpu") if present(k)), "cpu")
        count = present(kind) if everything else 1
    if kind == "cpu":
        return kind, count  # as many as asked for are made of one, where they can be used
    found = present(kind)
    if found < count:
        raise RecipeError(
            f"--devices {asked} asks for {words(kind, count)}, and the "
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
    with keras.device("cpu" if kind == "cpu" else "gpu:0"):  # "cpu:0" loses torch's Parameters
        yield Devices(words(kind, 1))
