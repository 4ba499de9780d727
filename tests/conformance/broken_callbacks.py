"""Callbacks that expect a certain model, and the checks that have to find them."""

import keras
import numpy as np

from kcatalog.card import Example
from tests.conformance.broken_parts import broken


@broken("any_model-subclassed", "any_model-own_step", example=Example())
class WalksTheGraph(keras.callbacks.Callback):
    """Looks for the outputs of layers, which only functional models have."""

    def on_train_begin(self, logs=None):
        self.outputs = [layer.output for layer in self.model.layers]
        self.model.layers[0].get_config()


@broken("any_model-without_targets", example=Example())
class ReadsTheLoss(keras.callbacks.Callback):
    """Expects the model to be compiled with a loss."""

    def on_train_begin(self, logs=None):
        keras.losses.get(self.model.loss)([1.0], [1.0])


@broken("several_fits", example=Example())
class KeepsTheWeights(keras.callbacks.Callback):
    """Compares the weights with those it saw last, be they another model's."""

    def __init__(self):
        super().__init__()
        self.last = None

    def on_train_end(self, logs=None):
        weights = [np.asarray(w) for w in self.model.get_weights()]
        if self.last is not None:
            self.moved = [a - b for a, b in zip(weights, self.last, strict=True)]
        self.last = weights
