"""One option for all devices; what was asked for and is not there is an error."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass

import keras

from kcatalog import checks
from kcatalog.recipe.errors import RecipeError

KINDS = ("auto", "cpu", "gpu", "tpu", "all")
_REPLICAS = ContextVar("replicas", default=1)


@dataclass
class Devices:
    """What is used, in words; and the scope to build models in, to be entered as often as needed.

    The scope is not simply held open for a whole run, because KerasTuner clears Keras's state
    before each trial and with it the distribution, whatever the backend.

    Args:
        words: the devices, such as "2 GPUs".
        mechanism: what trains on several of them; empty for a single one.
        scope: models are built in it.
        replicas: into how many parts a batch is split.
        xla: whether XLA compiles the step, and why not; known once a model is built.
    """

    words: str
    mechanism: str = ""
    scope: Callable[[], contextlib.AbstractContextManager] = contextlib.nullcontext
    replicas: int = 1
    xla: str = ""

    def prepare(self, model) -> None:
        """Have XLA compile a model's steps where it can."""
        mirrored = self.mechanism.endswith("MirroredStrategy")
        if self.mechanism.startswith("tf."):
            model.jit_compile = False  # by itself on TPUs; what follows is the reason elsewhere
        if model.jit_compile or self.mechanism.endswith("TPUStrategy"):
            self.xla = "XLA compiles the step."
        else:
            self.xla = f"XLA does not compile the step: {_why_not(mirrored)}."

    @property
    def line(self) -> str:
        """What was chosen, in one line."""
        split = f", a batch split in {self.replicas}" if self.replicas > 1 else ""
        how = f", {self.mechanism}" if self.mechanism else ""
        return f"Devices: {self.words}{how}{split}. {self.xla}"


def _why_not(mirrored: bool) -> str:
    backend = keras.backend.backend()
    if mirrored:
        return "jit_compile fails under MirroredStrategy (keras issue 20763)"
    if backend == "torch":
        return "Keras runs PyTorch eagerly"
    if backend == "tensorflow" and not (_present("gpu") or _present("tpu")):
        return "on TensorFlow, Keras leaves it off where there is nothing but CPUs"
    return "the recipe or one of its layers turns it off"


def replicas() -> int:
    """Into how many parts the devices in use split a batch."""
    return _REPLICAS.get()


def feeding(samples: int, size: int) -> list[keras.callbacks.Callback]:
    """What `fit` needs as its first callback, for a validation split of so many samples in
    batches of this size."""
    if keras.backend.backend() != "jax" or replicas() == 1:
        return []
    from kcatalog.recipe import sharding

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
        hosts: how many hosts train together (`kcatalog.recipe.hosts`).
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
        from kcatalog.recipe import sharding

        mine = sharding.using(kind, count, hosts, model_parallel, layout)
    elif backend == "tensorflow":
        from kcatalog.recipe import mirroring

        mine = mirroring.using(kind, count)
    else:
        mine = _torch(kind, count)
    with mine as used:
        token = _REPLICAS.set(used.replicas)
        try:
            yield used
        finally:
            _REPLICAS.reset(token)


def words(kind: str, count: int) -> str:
    """Devices for the reader."""
    return kind.upper() if count == 1 else f"{count} {kind.upper()}s"


def understood(asked: str, hosts: int) -> tuple[str, int]:
    """The kind and number (on each host) of the devices asked for."""
    match = re.fullmatch(r"([a-z]+)(?::([1-9]\d*))?", asked.lower())
    if not match or match[1] not in KINDS or (match[1] in ("auto", "all") and match[2]):
        raise RecipeError(
            f"--devices must be auto, cpu, gpu, tpu or all, with a count if you like (gpu:2). "
            f"Received: {asked!r}. {checks.closest(asked.split(':')[0], KINDS)}"
        )
    kind, count = match[1], int(match[2] or 1)
    if kind in ("auto", "all"):
        everything = kind == "all" or hosts > 1
        kind = next((k for k in ("tpu", "gpu") if _present(k)), "cpu")
        count = _present(kind) if everything else 1
    if kind == "cpu":
        return kind, count  # as many as asked for are made of one, where they can be used
    found = _present(kind)
    if found < count:
        raise RecipeError(
            f"--devices {asked} asks for {words(kind, count)}, and the "
            f"{keras.backend.backend()} backend finds {found or 'none'}. "
            "Use --devices cpu, or see `kcatalog doctor`."
        )
    return kind, count


def _present(kind: str) -> int:
    """How many devices of a kind this host has."""
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
        except RuntimeError:  # how JAX says "none"
            return 0
    import torch

    return {"cpu": 1, "gpu": torch.cuda.device_count()}.get(kind, 0)


@contextlib.contextmanager
def _torch(kind: str, count: int) -> Iterator[Devices]:
    if count > 1:
        raise RecipeError(
            f"--devices {kind}:{count} needs the TensorFlow or JAX backend: Keras trains on one "
            "device with PyTorch."
        )
    with keras.device("cpu" if kind == "cpu" else "gpu:0"):  # "cpu:0" loses torch's Parameters
        yield Devices(words(kind, 1))
