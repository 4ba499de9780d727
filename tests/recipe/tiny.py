"""A recipe small enough for tests: two clouds of points, a dense layer, dropout.

Environment variables make it misbehave: TINY_KILL (the epoch in whose middle the process is
killed), TINY_NAN (the epoch whose inputs are NaN), TINY_SHIFT (how far the data have moved),
TINY_HOLD (a folder in which trials note each epoch that begins, with the number of their process,
and in whose middle they wait as long as there is a file `hold-<epoch>`).
"""

import os
import signal
import sys
import time
from pathlib import Path

from kcatalog.recipe import Recipe, tuning  # before Keras, whose start it silences
from kcatalog.recipe.data import Data, DataInfo, Source
from kcatalog.recipe.feed.batches import Batches

import keras  # isort: skip
import numpy as np  # isort: skip


class Clouds(Source):
    """160 points around (-1, 0) and (1, 0)."""

    default, wanted = "clouds", "one of the tests' own"

    def sets(self):
        return {"clouds": self._clouds}

    def read(self, paths, info):
        return np.stack([np.loadtxt(p, dtype="float32") for p in paths])

    def _clouds(self, seed):
        rng = np.random.default_rng(0)
        y = np.arange(160, dtype="int32") % 2
        centers = np.stack([2.0 * y - 1, 0 * y], axis=1)
        x = (centers + 0.7 * rng.normal(size=(160, 2))).astype("float32")
        x += np.float32(os.environ.get("TINY_SHIFT", 0))
        parts = [(x[part], y[part]) for part in (slice(0, 96), slice(96, 128), slice(128, 160))]
        return Data("clouds", "classification", "point", *parts, ("left", "right"), picture)


def info(
    task="classification", input_name="point", input_shape=(2,), classes=(), name="some", **more
):
    """Facts about data that nobody needs the samples of."""
    return DataInfo(name, task, input_name, tuple(input_shape), tuple(classes), **more)


def picture(x):
    """A point as a grey square."""
    return np.full((16, 16, 3), int(np.clip(128 + 60 * x[0], 0, 255)), "uint8")


class Misbehaving(Batches):
    """Batches that end the process, or turn to NaN, when the environment says so."""

    def start(self, epoch):
        super().start(epoch)
        self.epoch = epoch

    def __getitem__(self, index):
        x, y = super().__getitem__(index)
        if index == 3 and os.environ.get("TINY_KILL") == str(self.epoch):
            os.kill(os.getpid(), signal.SIGKILL)
        if index == 3 and "TINY_HOLD" in os.environ and "search-worker" in sys.argv:
            self._hold(Path(os.environ["TINY_HOLD"]))
        return (x * np.nan if os.environ.get("TINY_NAN") == str(self.epoch) else x), y

    def _hold(self, folder):
        trial = Path(sys.argv[sys.argv.index("search-worker") + 1]).name
        with (folder / f"{trial}.epochs").open("a") as file:
            file.write(f"{self.epoch} {os.getpid()}\n")
        while (folder / f"hold-{self.epoch}").exists():
            time.sleep(0.05)


def build(hp, data):
    """A dense layer, and dropout so that training is random."""
    inputs = keras.Input(data.input_shape, name=data.input_name)
    x = keras.layers.Normalization(mean=0.0, variance=1.0)(inputs)
    x = keras.layers.Dense(hp.Choice("units", [4, 8]), activation="tanh")(x)
    x = tuning.draw(hp, "keras.layers.Dropout", "dropout")(x)
    model = keras.Model(inputs, keras.layers.Dense(2, dtype="float32")(x))
    losses = ["keras.losses.SparseCategoricalCrossentropy"]
    model.compile(
        tuning.optimizer(hp, ["keras.optimizers.Adam", "keras.optimizers.SGD"]),
        tuning.choose(hp, "loss", losses, fixed={"from_logits": True}),
        metrics=["accuracy"],
        jit_compile=False,
    )
    return model


def baseline(data):
    """Always the first class."""
    return "always left", float(np.mean(data.test[1] == 0))


recipe = Recipe(
    "tiny", Clouds(), build, baseline, epochs=6, trials=2, trial_epochs=2, batch_size=16
)

if __name__ == "__main__":
    from kcatalog.recipe.feed import batches

    batches.Batches = Misbehaving
    recipe.main()
