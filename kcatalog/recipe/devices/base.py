"""Devices in use, and the number of devices that this host has."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import keras


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
        """Let XLA compile a model's steps where that works."""
        mirrored = self.mechanism.endswith("MirroredStrategy")
        if self.mechanism.startswith("tf."):
            model.jit_compile = False  # TPUs always use XLA; `_why_not` has the reasons elsewhere
        if model.jit_compile or self.mechanism.endswith("TPUStrategy"):
            self.xla = "XLA compiles the step."
        else:
            self.xla = f"XLA does not compile the step: {_why_not(mirrored)}."

    @property
    def line(self) -> str:
        """The chosen devices in one line."""
        split = f", each batch split in {self.replicas}" if self.replicas > 1 else ""
        how = f", {self.mechanism}" if self.mechanism else ""
        return f"Devices: {self.words}{how}{split}. {self.xla}"


def _why_not(mirrored: bool) -> str:
    backend = keras.backend.backend()
    if mirrored:
        return "jit_compile fails under MirroredStrategy (keras issue 20763)"
    if backend == "torch":
        return "Keras runs PyTorch eagerly"
    if backend == "tensorflow" and not (available("gpu") or available("tpu")):
        return "on TensorFlow, Keras does not use it on CPUs"
    return "the recipe or one of its layers turns it off"


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
