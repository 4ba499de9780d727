"""One option for all devices; what was asked for and is not there is an error."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import keras

from kcatalog import checks
from kcatalog.recipe.errors import RecipeError

KINDS = ("auto", "cpu", "gpu", "tpu")


@dataclass(frozen=True)
class Devices:
    """What is used, in words; and the scope to build models in, to be entered as often as needed.

    The scope is not simply held open for a whole run, because KerasTuner clears Keras's state
    before each trial and TensorFlow's distribution strategy with it.
    """

    words: str
    scope: Callable[[], contextlib.AbstractContextManager] = contextlib.nullcontext


@contextlib.contextmanager
def using(asked: str) -> Iterator[Devices]:
    """Everything inside runs on these devices, if models are built in their scope.

    Args:
        asked: "auto" (what the backend takes by itself), "cpu", "gpu" or "tpu", each with an
            optional count: "gpu:2" trains on two GPUs, every one on its part of a batch.
    """
    match = re.fullmatch(r"([a-z]+)(?::([1-9]\d*))?", asked.lower())
    if not match or match[1] not in KINDS or (match[1] == "auto" and match[2]):
        raise RecipeError(
            f"--devices must be auto, cpu, gpu or tpu, with a count if you like (gpu:2). "
            f"Received: {asked!r}. {checks.closest(asked.split(':')[0], KINDS)}"
        )
    kind, count = match[1], int(match[2] or 1)
    if kind == "auto":
        kind = next((k for k in ("gpu", "tpu") if _present(k)), "cpu")
    found = _present(kind, count)
    if found < count:
        raise RecipeError(
            f"--devices {asked} asks for {count} {kind.upper()}(s), and the "
            f"{keras.backend.backend()} backend finds {found or 'none'}. "
            "Use --devices cpu, or see `kcatalog doctor`."
        )
    words = kind.upper() if count == 1 else f"{count} {kind.upper()}s"
    if keras.backend.backend() == "tensorflow":
        yield Devices(words, _tensorflow(kind, count))
    else:
        with {"jax": _jax, "torch": _torch}[keras.backend.backend()](kind, count):
            yield Devices(words)


def _present(kind: str, count: int = 1) -> int:
    """How many devices of a kind there are. A CPU counts as often as it is asked for."""
    backend = keras.backend.backend()
    if kind == "cpu":
        return count
    if backend == "tensorflow":
        import tensorflow as tf

        return len(tf.config.list_physical_devices(kind.upper()))
    if backend == "jax":
        import jax

        try:
            return len(jax.devices(kind))
        except RuntimeError:  # how JAX says "none"
            return 0
    import torch

    return torch.cuda.device_count() if kind == "gpu" else 0


def _tensorflow(kind: str, count: int) -> Callable:
    """Show TensorFlow these devices alone. Returns the scope of the strategy that uses them."""
    import tensorflow as tf

    physical = tf.config.list_physical_devices(kind.upper())
    if kind == "tpu":
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu="")
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver).scope
    try:
        if kind == "cpu":
            tf.config.set_visible_devices([], "GPU")
            if count > 1:
                parts = [tf.config.LogicalDeviceConfiguration()] * count
                tf.config.set_logical_device_configuration(physical[0], parts)
        else:
            tf.config.set_visible_devices(physical[:count], "GPU")
    except RuntimeError as e:  # TensorFlow has started and would ignore us
        logical = tf.config.list_logical_devices(kind.upper())
        if len(logical) < count or (kind == "cpu" and tf.config.list_logical_devices("GPU")):
            raise RecipeError(
                "--devices comes too late: TensorFlow is already running. Compute nothing "
                "outside `build` in the recipe."
            ) from e
    if count == 1:
        return contextlib.nullcontext
    names = [d.name for d in tf.config.list_logical_devices(kind.upper())[:count]]
    return tf.distribute.MirroredStrategy(names).scope


@contextlib.contextmanager
def _jax(kind: str, count: int):
    import jax

    if kind == "cpu" and count > 1 and len(jax.devices("cpu")) < count:
        raise RecipeError(
            f"--devices cpu:{count} needs JAX_NUM_CPU_DEVICES={count} in the environment."
        )
    if count == 1:
        with keras.device(f"{kind}:0"):
            yield
        return
    before = keras.distribution.distribution()
    devices = keras.distribution.list_devices(kind)[:count]
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)


@contextlib.contextmanager
def _torch(kind: str, count: int):
    if count > 1:
        raise RecipeError(
            f"--devices {kind}:{count} needs the TensorFlow or JAX backend: Keras trains on one "
            "device with PyTorch."
        )
    with keras.device("cpu" if kind == "cpu" else "gpu:0"):  # "cpu:0" loses torch's Parameters
        yield
