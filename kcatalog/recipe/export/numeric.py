"""A model that takes and gives numbers alone, under their names: what other formats start from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import ops

from kcatalog.recipe.data import DataInfo
from kcatalog.recipe.export import serving
from kcatalog.recipe.export.portable import portable, unrolled
from kcatalog.recipe.export.stepwise import Refused, Stepwise

LONGEST = 256  # steps that are written out one by one


@dataclass(frozen=True)
class Original:
    """What is converted.

    Args:
        file: the trained model.
        info: of the data.
        samples: some of the training part's.
        stepwise: whether the model goes step by step.
    """

    file: Path
    info: DataInfo
    samples: np.ndarray
    stepwise: bool

    def numeric(self, fixed: bool, unroll: bool = False) -> tuple[keras.Model, dict]:
        """The model with named outputs, and the shapes of its inputs, by name, without batch.

        Args:
            fixed: whether sequences have one length.
            unroll: whether recurrent layers are written out step by step.
        """
        if self.info.task == "next-character":
            if not self.stepwise:
                raise Refused("a text model is exported so if it can go step by step; this cannot")
            return _one_step(Stepwise(unrolled(self.file, steps=1)))
        model = portable(self.file)
        if unroll:
            length = self.info.input_shape[0]
            sequences = [keras.tree.flatten(x.input)[0] for x in model.layers if _recurs(x)]
            longest = max((x.shape[1] or length for x in sequences), default=0)
            if longest > LONGEST:
                raise Refused(
                    f"its converter wants recurrent layers without a loop, of {LONGEST} steps at "
                    f"most; these have {longest}"
                )
            model = unrolled(self.file, steps=length)
        entry = model.inputs[0]
        if entry.dtype == "string":
            raise Refused("it takes numbers; the model's input is text")
        _hold_constants(model)
        shape = tuple(self.info.input_shape) if fixed else entry.shape[1:]
        raw = keras.Input(entry.shape[1:], dtype=self.samples.dtype.name, name=entry.name)
        return keras.Model(raw, _Named(model, self.info)(raw)), {raw.name: shape}


class _Named(keras.layers.Layer):
    """A model as it is when it serves, its outputs with names. Keras exports to ONNX what a layer
    does by default, and that is to augment for those that do it in training."""

    def __init__(self, model: keras.Model, info: DataInfo):
        super().__init__()
        self.model, self.info = model, info

    def call(self, x):
        return serving.named(self.model(x, training=False), self.info)


class _OneStep(keras.layers.Layer):
    """A character's code and states -> probabilities of what follows, and states."""

    def __init__(self, stepwise: Stepwise):
        super().__init__()
        self.stepwise = stepwise

    def call(self, inputs):
        codes = ops.expand_dims(inputs["character"], 1)
        outputs, after = self.stepwise(codes, inputs)
        return {"probabilities": ops.softmax(ops.cast(outputs[:, 0], "float32")), **after}


def _hold_constants(model: keras.Model) -> None:
    """Let statistics be arrays, which a graph holds; tensors tf2onnx takes for inputs."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.mean, layer.variance = map(ops.convert_to_numpy, (layer.mean, layer.variance))


def _one_step(stepwise: Stepwise) -> tuple[keras.Model, dict]:
    inputs = {"character": keras.Input((), dtype="int32", name="character")}
    inputs |= {name: keras.Input(shape, name=name) for name, shape in stepwise.states.items()}
    model = keras.Model(inputs, _OneStep(stepwise)(inputs))
    return model, {name: tuple(tensor.shape[1:]) for name, tensor in inputs.items()}


def _recurs(layer) -> bool:
    return isinstance(layer, (keras.layers.RNN, keras.layers.Bidirectional))
