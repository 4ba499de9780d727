"""Devices in use, and what a host has of each kind."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import keras


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
    if backend == "tensorflow" and not (present("gpu") or present("tpu")):
        return "on TensorFlow, Keras leaves it off where there is nothing but CPUs"
    return "the recipe or one of its layers turns it off"


def words(kind: str, count: int) -> str:
    """Devices for the reader."""
    return kind.upper() if count == 1 else f"{count} {kind.upper()}s"


def present(kind: str) -> int:
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
