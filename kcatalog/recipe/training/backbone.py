"""Pretrained networks in the models of recipes: `--backbone`, its features and its training."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
from keras import layers, ops

from kcatalog import checks
from kcatalog.optimizers import LayerwiseDecay
from kcatalog.optimizers.wrappers.wrapper import Wrapper
from kcatalog.recipe import tasks
from kcatalog.recipe.data import Data, inputs
from kcatalog.recipe.monitoring.all_layers import all_layers
from kcatalog.recipe.terminal.errors import RecipeError
from kcatalog.recipe.training import presets

_URL = re.compile(r"https?://\S+[^\s:]")


@dataclass(frozen=True)
class Backbone:
    """A pretrained network inside a recipe's model.

    Its batch normalization keeps the statistics, the scales and the offsets that it came with.

    Attributes:
        model: from images to feature maps.
        head_epochs: the first epochs, in which it is not trained.
        preprocess: from images, 0 to 255, to what `model` takes.
    """

    model: keras.Model
    head_epochs: int
    preprocess: Callable[..., Any]

    def __call__(self, images):
        """Return the feature maps of images, 0 to 255."""
        return self.model(self.prepare(images))

    def prepare(self, images):
        """Return what `model` takes, for images, 0 to 255."""
        if images.shape[-1] == 1 and self.model.inputs[0].shape[-1] == 3:
            images = layers.Concatenate()([images] * 3)
        return self.preprocess(images)

    def optimizer(self, hp, inner, model, data: Data, batch_size: int):
        """Return an optimizer that trains the head first, then all, the first layers slowest.

        Hyperparameter: "backbone_rate", the first layer's learning rate as a share of the last
        one's.

        Args:
            hp: KerasTuner's hyperparameters.
            inner: the recipe's optimizer.
            model: the whole model.
            data, batch_size: what an epoch consists of. A hyperparameter "batch_size" takes
                precedence.
        """
        rate = hp.Float("backbone_rate", 1e-3, 1.0, sampling="log", default=0.01)
        weights = model.trainable_variables
        depth = len({v.path.rpartition("/")[0] for v in weights}) - 1
        decayed = LayerwiseDecay(inner, rate ** (1 / max(1, depth)))
        own = {id(v) for v in self.model.trainable_variables}
        first = next((i for i, v in enumerate(weights) if id(v) not in own), len(weights))
        size = hp.values.get("batch_size", batch_size)
        steps = self.head_epochs * tasks.steps_per_epoch(data, size)
        return HeadFirst(decayed, first, steps) if steps else decayed


@keras.saving.register_keras_serializable("kcatalog.recipe")
class HeadFirst(Wrapper):
    """An optimizer that leaves a model's first weights alone in its first steps.

    Args:
        inner: the optimizer.
        weights: how many of the weights, from the first one, are left alone.
        steps: for how many steps.
    """

    transforms_decay = True

    def __init__(self, inner, weights, steps, **kwargs):
        super().__init__(inner, **kwargs)
        self.weights, self.steps = weights, steps

    def transform_update(self, before, after, gradient, variable):
        if self._get_variable_index(variable) >= self.weights:
            return after
        return ops.where(self.iterations < self.steps, before, after)

    def get_config(self):
        return {**super().get_config(), "weights": self.weights, "steps": self.steps}


def load(data: Data, pyramid: bool = False) -> Backbone | None:
    """Return the network that `--backbone` names, up to its last feature maps, or None.

    Args:
        data: of the model.
        pyramid: return the last feature maps of each size, the largest first. A size is that of
            the images, its half, its quarter and so on.

    Raises:
        RecipeError: there is no such network, or it does not take the data's images.
    """
    name, weights = (data.settings.get(n) for n in ("backbone", "backbone_weights"))
    if name is None:
        if weights:
            raise RecipeError("--backbone-weights needs the network: add --backbone NAME.")
        return None
    if not inputs.kind(data.input_name).image:
        raise RecipeError(f"--backbone is for images. {data.name} holds {data.input_name}.")
    with keras.name_scope("backbone"):  # its weights' paths differ from those of the head
        network, preprocess = _network(name, weights, data, resize=not pyramid)
        images = keras.KerasTensor((None, *data.input_shape), "uint8")
        shape = Backbone(network, 0, preprocess).prepare(images).shape
        _check_shape(name, network, shape, data)
        model = _features(name, network, shape, pyramid)
    return Backbone(model, data.settings["head_epochs"], preprocess)


def _network(name: str, weights: str | None, data: Data, resize: bool) -> tuple[Any, ...]:
    """Return the network of this name, and its preprocessing."""
    known = {n for n, f in vars(keras.applications).items() if n[0].isupper() and callable(f)}
    if name in known:
        return _application(name, weights, data)
    if weights:
        raise RecipeError(f"{name} has weights. Leave out --backbone-weights.")
    if name.endswith(".keras"):
        return _of_file(name), lambda images: images
    alike = presets.alike(name)
    if not presets.is_place(name) and name not in (alike or ()):
        raise RecipeError(
            "--backbone must be a .keras file, or the name of a model of keras.applications or of "
            f"a preset of keras-hub. Received: {name!r}. "
            f"{checks.closest(name, known.union(alike or ()))}"
            f"{f' {presets.NEEDED}' if alike is None else ''}"
        )
    return presets.load(name, resize)


def _of_file(name: str) -> keras.Model:
    """Load a saved model, which preprocesses images itself."""
    if not Path(name).expanduser().is_file():
        raise RecipeError(f"--backbone {name}: there is no such file.")
    try:
        return keras.models.load_model(Path(name).expanduser(), compile=False)
    except Exception as e:  # whatever is wrong with the file or its classes
        reason = str(e).strip().partition("\n")[0][:200]
        raise RecipeError(f"--backbone {name} cannot be loaded: {reason}") from e


def _check_shape(name: str, network: keras.Model, shape: tuple[Any, ...], data: Data) -> None:
    """Raise an error for a network that takes other images than these."""
    entry = network.inputs[0].shape
    fits = len(entry) == 4 and all(a in (None, b) for a, b in zip(entry, shape, strict=True))
    if not fits or len(network.inputs) > 1:
        raise RecipeError(
            f"--backbone {name} takes images of the shape {entry[1:]}. Received: "
            f"{data.input_shape}. For images in a folder, use --size and --channels."
        )


def _application(name: str, weights: str | None, data: Data) -> tuple[Any, ...]:
    """Build a model of `keras.applications`, and return the preprocessing of its module, too."""
    if weights and not Path(weights).expanduser().is_file():
        raise RecipeError(f"--backbone-weights {weights}: there is no such file.")
    make, size = getattr(keras.applications, name), data.input_shape[:2]
    file = str(Path(weights).expanduser()) if weights else "imagenet"
    try:
        model = make(include_top=False, weights=file, input_shape=(*size, 3))
    except Exception as e:  # Keras raises plain Exception where a download fails
        reason = str(e).strip().partition("\n")[0][:300]
        if url := _URL.search(reason):
            raise RecipeError(
                f"The weights of {name} could not be downloaded. Download {url[0]} where there is "
                "a network, and add --backbone-weights FILE."
            ) from e
        raise RecipeError(
            f"--backbone {name} cannot be made for images of {size[0]} x {size[1]} pixels"
            f"{f' with the weights in {weights}' if weights else ''}: {reason}"
        ) from e
    preprocess = sys.modules[make.__module__].preprocess_input  # `keras.applications` has not all
    return model, lambda images: preprocess(ops.cast(images, keras.config.floatx()))


def _features(
    name: str, network: keras.Model, shape: tuple[Any, ...], pyramid: bool
) -> keras.Model:
    """Return the model that ends in the last feature maps, or in those of each size."""
    if inside := next((x for x in network.layers if isinstance(x, keras.Model)), None):
        raise RecipeError(
            f"--backbone {name} must be one model of layers. Received: a model inside, "
            f"{inside.name}. Save that one alone."
        )
    for layer in all_layers(network):
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False
    images = network.inputs[0]
    # A layer that is called twice has no `output`.
    outputs = [*(getattr(x, "output", None) for x in network.layers), *network.outputs]
    maps = [x for x in outputs if isinstance(x, keras.KerasTensor) and len(x.shape) == 4]
    found = {}
    if maps:
        sizes = keras.Model(images, maps).compute_output_shape(shape)
        found = {size[1]: x for size, x in zip(sizes, maps, strict=True)}
    every = [found[n] for i in range(16) if (n := shape[1] / 2**i) in found]
    last = maps[-1] if maps else images
    if last is images or (pyramid and len(every) < 2):
        raise RecipeError(f"--backbone {name} must have layers that make images smaller by half.")
    return keras.Model(images, every if pyramid else last, name="backbone")
