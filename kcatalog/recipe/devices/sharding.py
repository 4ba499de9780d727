"""JAX on several devices, of one host or many: batches split among them, or weights too.

It is `keras.distribution` but for one thing: Keras splits whatever it is fed, and JAX refuses to
split what does not divide evenly, such as the last batch of a validation split. Here the batches
of training are split; everything else is handed to each device whole, so that `evaluate` and
`predict` take any number of samples, also on many hosts, each of which then feeds the same.

JAX is imported where it is asked, for this file is also read where there is none.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras
from keras.distribution import TensorLayout

from kcatalog.recipe.devices import base
from kcatalog.recipe.terminal.errors import RecipeError

AXES = ("batch", "model")
SPLIT_BY_DEFAULT = ("kernel", "recurrent_kernel", "embeddings")  # where they are matrices


class _Fed:
    """Splits batches while `split` is set."""

    split = False

    def get_data_layout(self, data_shape):
        if self.split:
            return super().get_data_layout(data_shape)
        return TensorLayout([None] * len(data_shape), self.device_mesh)


class DataParallel(_Fed, keras.distribution.DataParallel):
    """Every device has all weights, and its part of a batch."""


class ModelParallel(_Fed, keras.distribution.ModelParallel):
    """Weights are split among the devices along one axis of the mesh, batches along the other."""

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


class Feeding(keras.callbacks.Callback):
    """Has batches split while they are fed: those of training, and of validation if they divide.

    Keras asks for the layout at an epoch's first batch and keeps it for the others. This has to
    be the first callback, so that what others feed the model meanwhile is not split.
    """

    def __init__(self, distribution: _Fed, validation: bool):
        super().__init__()
        self.distribution, self.validation = distribution, validation

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self.distribution.split = True

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.distribution.split = False

    def on_test_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self.distribution.split = self.validation

    def on_test_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.distribution.split = False


def feeding(samples: int, size: int) -> list[keras.callbacks.Callback]:
    """What training on several devices needs as its first callback.

    Args:
        samples: how many there are in the validation split.
        size: how many of them make a batch.
    """
    import jax

    distribution = keras.distribution.distribution()
    if not isinstance(distribution, _Fed):
        return []
    parts = distribution.num_model_replicas
    divides = size % parts == 0 and samples % size % parts == 0
    return [Feeding(distribution, divides and jax.process_count() == 1)]


@contextlib.contextmanager
def using(
    kind: str, count: int, hosts: int, model_parallel: int, layout: dict | None
) -> Iterator[base.Devices]:
    """So many devices of each host."""
    if kind == "cpu":
        _cut_cpu(count)
    total = count * hosts
    if model_parallel > 1 and hosts > 1:
        raise RecipeError(
            "--model-parallel works on one host: checkpoints of weights that are split among "
            "hosts are not supported. Leave out --hosts or --model-parallel."
        )
    if total % model_parallel:
        raise RecipeError(
            f"--model-parallel {model_parallel} needs a multiple of {model_parallel} devices. "
            f"Received: {base.words(kind, total)}. Use --devices {kind}:{model_parallel}, "
            "or --devices all."
        )
    if total == 1:
        with keras.device(f"{kind}:0"):
            yield base.Devices(base.words(kind, 1))
        return
    before = keras.distribution.distribution()
    distribution = _distribution(_names(kind, count), model_parallel, layout)

    @contextlib.contextmanager
    def scope():
        keras.distribution.set_distribution(distribution)  # and `fit` must find it, too
        yield
        _check(distribution, layout)

    keras.distribution.set_distribution(distribution)
    words = (
        base.words(kind, count)
        if hosts == 1
        else f"{hosts} hosts, each with " + (base.words(kind, count))
    )
    mechanism = f"keras.distribution.{type(distribution).__name__}"
    if model_parallel > 1:
        mechanism += f", weights split in {model_parallel}"
    try:
        yield base.Devices(words, mechanism, scope, distribution.num_model_replicas)
    finally:
        keras.distribution.set_distribution(before)


def _cut_cpu(count: int) -> None:
    """JAX cuts a CPU into several devices before it starts, or never."""
    import jax

    if count > 1 and jax.config.jax_num_cpu_devices < count:
        with contextlib.suppress(RuntimeError):  # it has started
            jax.config.update("jax_num_cpu_devices", count)
    if len(jax.local_devices(backend="cpu")) < count:
        raise RecipeError(
            f"--devices cpu:{count} comes too late: JAX is already running. Compute nothing "
            f"outside `build` in the recipe, or set JAX_NUM_CPU_DEVICES={count}."
        )


def _names(kind: str, count: int) -> list[str]:
    """The first `count` devices of each host, by Keras's names."""
    import jax

    taken: dict[int, list[str]] = {}
    for name, device in zip(keras.distribution.list_devices(kind), jax.devices(kind), strict=True):
        taken.setdefault(device.process_index, []).append(name)
    if min(map(len, taken.values())) < count:
        raise RecipeError(
            f"Every host must have {base.words(kind, count)}. Received: "
            f"{', '.join(str(len(names)) for names in taken.values())}. Use --devices "
            f"{kind}:{min(map(len, taken.values()))}."
        )
    return [name for names in taken.values() for name in names[:count]]


def _distribution(names: list[str], model_parallel: int, layout: dict | None) -> _Fed:
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


def _check(distribution: _Fed, layout: dict | None) -> None:
    """Whether a model that was asked to be split has been."""
    if isinstance(distribution, ModelParallel) and not distribution.matched:
        patterns = ", ".join(map(repr, layout or ())) or "matrices whose last axis divides"
        raise RecipeError(
            f"--model-parallel splits no weight of this model. Looked for: {patterns}. Say in "
            "Recipe(layout=...) which weights to split, or leave it out."
        )
