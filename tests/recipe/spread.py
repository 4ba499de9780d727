"""A recipe for tests on many devices and hosts: nothing random in its model, unless asked for.

Environment variables: SPREAD_RANDOM adds dropout and batch normalization, whose draws and
statistics Keras makes for each replica under MirroredStrategy; SPREAD_JIT=1 asks for XLA;
SPREAD_DIE="1:3" kills host 1 in epoch 3.
"""

import os
import signal

import keras
import numpy as np

from kcatalog.recipe import Recipe
from kcatalog.recipe.data import Data
from tests.recipe import tiny


class Uneven(tiny.Clouds):
    """A validation and a test part that no number of devices divides."""

    def _clouds(self, seed):
        rng = np.random.default_rng(0)
        y = np.arange(176, dtype="int32") % 2
        x = np.stack([2.0 * y - 1, 0 * y], axis=1) + 0.7 * rng.normal(size=(176, 2))
        x = x.astype("float32")
        parts = [(x[part], y[part]) for part in (slice(96), slice(96, 139), slice(139, 176))]
        return Data("clouds", "classification", "point", *parts, ("left", "right"), tiny.picture)


def build(hp, data):
    """Two dense layers."""
    inputs = keras.Input(data.input_shape, name=data.input_name)
    x = keras.layers.Dense(hp.Choice("units", [8, 4]), activation="tanh")(inputs)
    if "SPREAD_RANDOM" in os.environ:
        x = keras.layers.BatchNormalization(momentum=0.9)(x)
        x = keras.layers.Dropout(0.3)(x)
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    model.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=True if "SPREAD_JIT" in os.environ else "auto",
    )
    return model


recipe = Recipe(
    "spread", Uneven(), build, tiny.baseline, epochs=4, trials=2, trial_epochs=1, batch_size=16
)


def dying(host: int, epoch: int):
    """Has this process kill itself in the middle of an epoch if it is that host."""
    from kcatalog.recipe.feed import batches

    class Dying(batches.Batches):
        def start(self, epoch):
            super().start(epoch)
            self.epoch = epoch

        def __getitem__(self, index):
            if (self.shard[0], self.epoch, index) == (host, epoch, 3) and self.shard[1] > 1:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().__getitem__(index)

    batches.Batches = Dying


if __name__ == "__main__":
    if "SPREAD_DIE" in os.environ:
        dying(*map(int, os.environ["SPREAD_DIE"].split(":")))
    recipe.main()
