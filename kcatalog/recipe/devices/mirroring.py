"""TensorFlow on several devices: each has a copy of the weights and gets a part of each batch."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator

import tensorflow as tf

from kcatalog.recipe.devices.select import Devices, words
from kcatalog.recipe.terminal.errors import RecipeError


@contextlib.contextmanager
def using(kind: str, count: int) -> Iterator[Devices]:
    """Make only these devices visible to TensorFlow, and use them with a strategy."""
    if kind != "tpu":
        _show(kind, count)
        if count == 1:
            yield Devices(words(kind, 1))
            return
    strategy = (_tpu if kind == "tpu" else _mirrored)(kind, count)
    mechanism = f"tf.distribute.{type(strategy).__name__}"
    yield Devices(words(kind, count), mechanism, strategy.scope, count)


@functools.cache  # a second one in a process would reuse the numbers of the first's collectives
def _mirrored(kind: str, count: int) -> tf.distribute.Strategy:
    names = [d.name for d in tf.config.list_logical_devices(kind.upper())[:count]]
    # collectives gain nothing between the parts of one CPU
    reduction = tf.distribute.ReductionToOneDevice() if kind == "cpu" else None
    return tf.distribute.MirroredStrategy(names, cross_device_ops=reduction)


@functools.cache  # initializing TPUs again clears their memory
def _tpu(kind: str, count: int) -> tf.distribute.Strategy:
    resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu="")
    tf.config.experimental_connect_to_cluster(resolver)
    topology = tf.tpu.experimental.initialize_tpu_system(resolver)
    chosen = tf.tpu.experimental.DeviceAssignment.build(topology, num_replicas=count)
    return tf.distribute.TPUStrategy(resolver, experimental_device_assignment=chosen)


def _show(kind: str, count: int) -> None:
    """Hide TensorFlow's other devices. A CPU is divided into the requested number."""
    physical = tf.config.list_physical_devices(kind.upper())
    try:
        if kind == "cpu":
            tf.config.set_visible_devices([], "GPU")
            if count > 1:
                parts = [tf.config.LogicalDeviceConfiguration()] * count
                tf.config.set_logical_device_configuration(physical[0], parts)
        else:
            tf.config.set_visible_devices(physical[:count], "GPU")
    except RuntimeError as e:  # TensorFlow is initialized and ignores changes
        logical = tf.config.list_logical_devices(kind.upper())
        if len(logical) < count or (kind == "cpu" and tf.config.list_logical_devices("GPU")):
            raise RecipeError(
                "--devices has no effect: TensorFlow is already initialized. The recipe must not "
                "compute anything outside `build`."
            ) from e
