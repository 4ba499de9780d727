"""JAX on several devices of one host or many: each batch is split, and optionally the weights.

`keras.distribution` does the work, with one difference. Keras splits every batch, but JAX cannot
split a batch that does not divide evenly, such as the last one of a validation split. Here the
batches of training are split, and each device gets all other batches whole. `evaluate` and
`predict` therefore take any number of samples; on many hosts, each host passes the same ones.

Functions import JAX themselves, because this module is also imported without it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
from keras.distribution import TensorLayout

from kcatalog.recipe.devices.select import Devices, words
from kcatalog.recipe.terminal.errors import RecipeError

AXES = ("batch", "model")
SPLIT_BY_DEFAULT = ("kernel", "recurrent_kernel", "embeddings")  # if they are matrices


class _Splitting:
    """Mixin of a distribution that splits batches only while `split` is true."""

    split = False

    def get_data_layout(self, data_shape):
        if self.split:
            return super().get_data_layout(data_shape)
        return TensorLayout([None] * len(data_shape), self.device_mesh)


class DataParallel(_Splitting, keras.distribution.DataParallel):
    """Distribution with all weights and a part of each batch on every device."""


class ModelParallel(_Splitting, keras.distribution.ModelParallel):
    """Distribution with weights split along one axis of the mesh, and batches along the other."""

    def __init__(self, layout_map, by_default: bool):
        super().__init__(layout_map=layout_map, batch_dim_name="batch", auto_shard_dataset=False)
        self._by_default, self.parts = by_default, layout_map.device_mesh.shape[1]
        self.matched: set[str] = set()  # the paths of weights that are split

    def get_variable_layout(self, variable):
        layout = super().get_variable_layout(variable)
        shape = tuple(variable.shape)
        dense = len(shape) == 2 and variable.name in SPLIT_BY_DEFAULT
        if self._by_default and dense and shape[-1] % self.parts == 0:
            layout = TensorLayout((None, "model"), self.device_mesh)
        sizes = dict(zip(self.device_mesh.axis_names, self.device_mesh.shape, strict=True))
        axes = [axis and sizes[axis] for axis in layout.axes]
        if len(axes) > len(shape) or any(n and d % n for n, d in zip(axes, shape, strict=False)):
            raise RecipeError(
                f"Recipe.layout must split {variable.path} evenly. Received: {layout.axes} for "
                f"the shape {shape}, on a mesh of {sizes}."
            )
        if any(axes):
            self.matched.add(variable.path)
        return layout


def callbacks(samples: int, size: int) -> list[keras.callbacks.Callback]:
    """Return the callback that splits training batches, and validation batches if they divide
    evenly (`select.callbacks`).

    Keras asks for the layout at an epoch's first batch and keeps it for the others. This must be
    the first callback, so that batches that other callbacks pass to the model are not split.
    """
    import jax

    distribution = keras.distribution.distribution()
    if not isinstance(distribution, _Splitting):
        return []
    parts = distribution.num_model_replicas
    divides = size % parts == 0 and samples % size % parts == 0

    def split(whether: bool):
        return lambda batch, logs=None: setattr(distribution, "split", whether)

    return [
        keras.callbacks.LambdaCallback(
            on_train_batch_begin=split(True),
            on_train_batch_end=split(False),
            on_test_batch_begin=split(divides and jax.process_count() == 1),
            on_test_batch_end=split(False),
        )
    ]


@contextlib.contextmanager
def using(
    kind: str, count: int, hosts: int, model_parallel: int, layout: dict[Any, Any] | None
) -> Iterator[Devices]:
    """Use a number of devices of each host."""
    if kind == "cpu":
        _split_cpu(count)
    total = count * hosts
    if model_parallel > 1 and hosts > 1:
        raise RecipeError(
            "--model-parallel works on one host only, because checkpoints of weights that are "
            "split across hosts are not supported. Leave out --hosts or --model-parallel."
        )
    if total % model_parallel:
        raise RecipeError(
            f"--model-parallel {model_parallel} needs a multiple of {model_parallel} devices. "
            f"Received: {words(kind, total)}. Use --devices {kind}:{model_parallel}, "
            "or --devices all."
        )
    if total == 1:
        with keras.device(f"{kind}:0"):
            yield Devices(words(kind, 1))
        return
    before = keras.distribution.distribution()
    distribution = _distribution(_names(kind, count), model_parallel, layout)

    @contextlib.contextmanager
    def scope():
        keras.distribution.set_distribution(distribution)  # `fit` needs it as well
        yield
        _check(distribution, layout)

    keras.distribution.set_distribution(distribution)
    named = words(kind, count) if hosts == 1 else f"{hosts} hosts, each with {words(kind, count)}"
    mechanism = f"keras.distribution.{type(distribution).__name__}"
    if model_parallel > 1:
        mechanism += f", weights split in {model_parallel}"
    try:
        yield Devices(named, mechanism, scope, distribution.num_model_replicas)
    finally:
        keras.distribution.set_distribution(before)


def _split_cpu(count: int) -> None:
    """Split the CPU into several devices, which JAX does only before it is initialized."""
    import jax

    if count > 1 and jax.config.jax_num_cpu_devices < count:
        with contextlib.suppress(RuntimeError):  # it is initialized
            jax.config.update("jax_num_cpu_devices", count)
    if len(jax.local_devices(backend="cpu")) < count:
        raise RecipeError(
            f"--devices cpu:{count} has no effect: JAX is already initialized. The recipe must not "
            f"compute anything outside `build`, or set JAX_NUM_CPU_DEVICES={count}."
        )


def _names(kind: str, count: int) -> list[str]:
    """Return Keras's names of the first `count` devices of each host."""
    import jax

    taken: dict[int, list[str]] = {}
    for name, device in zip(keras.distribution.list_devices(kind), jax.devices(kind), strict=True):
        taken.setdefault(device.process_index, []).append(name)
    if min(map(len, taken.values())) < count:
        raise RecipeError(
            f"Every host must have {words(kind, count)}. Received: "
            f"{', '.join(str(len(names)) for names in taken.values())}. Use --devices "
            f"{kind}:{min(map(len, taken.values()))}."
        )
    return [name for names in taken.values() for name in names[:count]]


def _distribution(
    names: list[str], model_parallel: int, layout: dict[Any, Any] | None
) -> _Splitting:
    if model_parallel == 1:
        return DataParallel(devices=names, auto_shard_dataset=False)
    shape = (len(names) // model_parallel, model_parallel)
    layouts = keras.distribution.LayoutMap(keras.distribution.DeviceMesh(shape, AXES, names))
    for path, axes in (layout or {}).items():
        if not set(axes) <= {*AXES, None}:
            raise RecipeError(
                f"Recipe.layout must name the axes 'batch', 'model' or None. Received: "
                f"{axes!r} for {path!r}."
            )
        layouts[path] = tuple(axes)
    return ModelParallel(layouts, by_default=layout is None)


def _check(distribution: _Splitting, layout: dict[Any, Any] | None) -> None:
    """Raise an error if no weight of the model has been split."""
    if isinstance(distribution, ModelParallel) and not distribution.matched:
        patterns = ", ".join(map(repr, layout or ())) or "matrices whose last axis divides"
        raise RecipeError(
            f"--model-parallel splits no weight of this model. Looked for: {patterns}. Name the "
            "weights to split in Recipe(layout=...), or leave out the option."
        )
