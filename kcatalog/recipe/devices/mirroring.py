"""TensorFlow on several devices: each has a copy of the weights, and its part of every batch."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator

import tensorflow as tf

from kcatalog.recipe.devices.base import Devices, words
from kcatalog.recipe.terminal.errors import RecipeError


@contextlib.contextmanager
def using(kind: str, count: int) -> Iterator[Devices]:
    """Show TensorFlow these devices alone, under the strategy that uses them."""
    if kind != "tpu":
        _show(kind, count)
        if count == 1:
            yield Devices(words(kind, 1))
            return
    strategy = (_tpu if kind == "tpu" else _mirrored)(kind, count)
    mechanism = f"tf.distribute.{type(strategy).__name__}"
    yield Devices(words(kind, count), mechanism, strategy.scope, count)


@functools.cache  # the collectives of a second one in a process are taken for those of the first
def _mirrored(kind: str, count: int) -> tf.distribute.Strategy:
    names = [d.name for d in tf.config.list_logical_devices(kind.upper())[:count]]
    # between parts of one CPU there is nothing to gain by collectives
    reduction = tf.distribute.ReductionToOneDevice() if kind == "cpu" else None
    return tf.distribute.MirroredStrategy(names, cross_device_ops=reduction)


@functools.cache  # starting TPUs again clears their memory
def _tpu(kind: str, count: int) -> tf.distribute.Strategy:
    resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu="")
    tf.config.experimental_connect_to_cluster(resolver)
    topology = tf.tpu.experimental.initialize_tpu_system(resolver)
    chosen = tf.tpu.experimental.DeviceAssignment.build(topology, num_replicas=count)
    return tf.distribute.TPUStrategy(resolver, experimental_device_assignment=chosen)


def _show(kind: str, count: int) -> None:
    """Hide TensorFlow's other devices. A CPU is cut into as many as are asked for."""
    physical = tf.config.list_physical_devices(kind.upper())
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
