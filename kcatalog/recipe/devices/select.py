"""The option `--devices`. Asking for devices that this host does not have is an error."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import keras

from kcatalog import checks
from kcatalog.recipe.terminal.errors import RecipeError

KINDS = ("auto", "cpu", "gpu", "tpu", "all")
_REPLICAS = ContextVar("replicas", default=1)


@dataclass
class Devices:
    """The devices in use, and the scope to build models in.

    The scope is entered for each model, not once for a run, because KerasTuner clears Keras's state
    before each trial, and the distribution with it.

    Args:
        words: the devices, such as "2 GPUs".
        mechanism: the class that trains on several of them; empty for a single one.
        scope: returns the context in which models are built.
        replicas: the number of parts that a batch is split into.
        xla: a sentence on whether XLA compiles the step; empty until a model is built.
    """

    words: str
    mechanism: str = ""
    scope: Callable[[], contextlib.AbstractContextManager] = contextlib.nullcontext
    replicas: int = 1
    xla: str = ""

    def prepare(self, model) -> None:
        """Let XLA compile a model's steps where that works, and say why not elsewhere."""
        backend, strategy = keras.backend.backend(), self.mechanism.rpartition(".")[2]
        if strategy in ("MirroredStrategy", "TPUStrategy"):  # TPUs always use XLA
            model.jit_compile = False
        if model.jit_compile or strategy == "TPUStrategy":
            self.xla = "XLA compiles the step."
            return
        why = "the recipe or one of its layers turns it off"
        if strategy == "MirroredStrategy":
            why = "jit_compile fails under MirroredStrategy (keras issue 20763)"
        elif backend == "torch":
            why = "Keras runs PyTorch eagerly"
        elif backend == "tensorflow" and not (available("gpu") or available("tpu")):
            why = "on TensorFlow, Keras does not use it on CPUs"
        self.xla = f"XLA does not compile the step: {why}."

    @property
    def line(self) -> str:
        """The chosen devices in one line."""
        split = f", each batch split in {self.replicas}" if self.replicas > 1 else ""
        how = f", {self.mechanism}" if self.mechanism else ""
        return f"Devices: {self.words}{how}{split}. {self.xla}"


def words(kind: str, count: int) -> str:
    """Return a number of devices as text, such as "2 GPUs"."""
    return kind.upper() if count == 1 else f"{count} {kind.upper()}s"


def available(kind: str) -> int:
    """Return the number of devices of a kind that this host has."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        found = tf.config.list_physical_devices(kind.upper())
        parts = tf.config.get_logical_device_configuration(found[0]) if kind == "cpu" else None
        return len(parts or found)
    if backend == "jax":
        import jax

        try:
            return len(jax.local_devices(backend=kind))
        except RuntimeError:  # JAX has none of this kind
            return 0
    import torch

    return {"cpu": 1, "gpu": torch.cuda.device_count()}.get(kind, 0)


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
    asked: str, hosts: int = 1, model_parallel: int = 1, layout: dict[Any, Any] | None = None
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
    with keras.device("cpu" if kind == "cpu" else "gpu:0"):  # "cpu:0" would lose Parameters
        yield Devices(words(kind, 1))
