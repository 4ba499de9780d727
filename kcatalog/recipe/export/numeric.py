"""Models with named numeric inputs and outputs, which LiteRT and ONNX files are made from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import ops

from kcatalog.recipe.data import DataInfo
from kcatalog.recipe.export.portable import portable, unrolled
from kcatalog.recipe.export.stepwise import Refused, Stepwise
from kcatalog.recipe.tasks import Task

LONGEST = 256  # steps that are unrolled


@dataclass(frozen=True)
class Original:
    """A trained model that is to be converted.

    Args:
        file: the model's file.
        task: the model's task.
        info: the description of the data.
        samples: training samples.
        stepwise: whether the model runs step by step.
    """

    file: Path
    task: Task
    info: DataInfo
    samples: np.ndarray
    stepwise: bool

    def numeric(self, fixed: bool, unroll: bool = False) -> tuple[keras.Model, dict]:
        """Return the model with named outputs, and its input shapes by name, without the batch.

        Args:
            fixed: give sequences a fixed length.
            unroll: unroll recurrent layers.
        """
        if self.task.generates:
            if not self.stepwise:
                raise Refused("text models are converted step by step, and this one has no `step`")
            return _one_step(Stepwise(unrolled(self.file, steps=1)))
        model = portable(self.file)
        if unroll:
            length = self.info.input_shape[0]
            sequences = [keras.tree.flatten(x.input)[0] for x in model.layers if _recurs(x)]
            longest = max((x.shape[1] or length for x in sequences), default=0)
            if longest > LONGEST:
                raise Refused(
                    f"its converter needs unrolled recurrent layers, of up to {LONGEST} steps; "
                    f"these have {longest}"
                )
            model = unrolled(self.file, steps=length)
        entry = model.inputs[0]
        if entry.dtype == "string":
            raise Refused("the format has no text input, which the model needs")
        _hold_constants(model)
        shape = tuple(self.info.input_shape) if fixed else entry.shape[1:]
        raw = keras.Input(entry.shape[1:], dtype=self.samples.dtype.name, name=entry.name)
        return keras.Model(raw, _Named(model, self.task)(raw)), {raw.name: shape}


class _Named(keras.layers.Layer):
    """Layer that runs a model in inference mode and names its outputs.

    Keras exports a model's default call to ONNX, and augmentation layers augment by default.
    """

    def __init__(self, model: keras.Model, task: Task):
        super().__init__()
        self.model, self.task = model, task

    def call(self, x):
        return self.task.named(self.model(x, training=False))


class _OneStep(keras.layers.Layer):
    """Layer from a character's code and states to the next character's probabilities and states."""

    def __init__(self, stepwise: Stepwise):
        super().__init__()
        self.stepwise = stepwise

    def call(self, inputs):
        codes = ops.expand_dims(inputs["character"], 1)
        outputs, after = self.stepwise(codes, inputs)
        return {"probabilities": ops.softmax(ops.cast(outputs[:, 0], "float32")), **after}


def _hold_constants(model: keras.Model) -> None:
    """Turn statistics into NumPy arrays, because tf2onnx mistakes tensors for inputs."""
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
