"""Measure what logging costs: training time with and without it, in turns in one process.

    python benchmarks/monitoring.py [image_cnn speech_lstm] [--pairs 5] [--epochs N] [--watch]

Each training is a whole one, compilation and validation included, of the recipe's own length
unless --epochs says otherwise. `with` has what `train` logs by default; --watch adds what that
option adds. A first, short pair pays for imports and is not counted. Prints each pair's ratio of
wall-clock and of processor time, and the medians, which are what the docs state.
"""

import argparse
import importlib
import statistics
import sys
import tempfile
import time
from pathlib import Path

import keras
import keras_tuner

from kcatalog.recipe import monitoring
from kcatalog.recipe.feed import pipeline
from kcatalog.recipe.tasks import batches_of

RECIPES = Path(__file__).parents[1] / "recipes"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("recipes", nargs="*", default=["image_cnn", "speech_lstm"])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=None)
    parser.add_argument("--watch", action="store_true")
    chosen = parser.parse_args()
    sys.path.insert(0, str(RECIPES))
    print(f"Keras {keras.__version__} on {keras.backend.backend()}")
    for name in chosen.recipes:
        recipe = importlib.import_module(name).recipe
        data = recipe.source.load(None, 0)
        epochs = chosen.epochs or recipe.epochs
        for logged in (False, True):
            train(recipe, data, 2, logged, chosen.watch)
        ratios = []
        for pair in range(chosen.pairs):
            took = {}
            for logged in (False, True) if pair % 2 else (True, False):
                took[logged], note = train(recipe, data, epochs, logged, chosen.watch)
            ratios.append(
                [with_ / without for with_, without in zip(took[1], took[0], strict=True)]
            )
            wall, cpu = ratios[-1]
            seconds = took[0][0]
            print(f"{name}, {epochs} epochs, {seconds:.1f} s: x {wall:.3f} (CPU x {cpu:.3f})")
        wall, cpu = (statistics.median(r) for r in zip(*ratios, strict=True))
        print(f"{name}: median of {chosen.pairs}: x {wall:.3f} (CPU x {cpu:.3f}). {note or ''}")


def train(recipe, data, epochs: int, logged: bool, watch: bool) -> tuple:
    """Return (seconds, processor seconds) of one training, and a note on what was logged once."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    hp = keras_tuner.HyperParameters()
    model = recipe.build(hp, data)
    batches = batches_of(data, hp, recipe.batch_size, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        begin, cpu = time.perf_counter(), time.process_time()
        callbacks = []
        if logged:
            callbacks = monitoring.training_callbacks(Path(folder), data, epochs, batches, watch)
        pipeline.fit(model, data, batches, callbacks, epochs=epochs, verbose=0)
        took = time.perf_counter() - begin, time.process_time() - cpu
    return took, monitoring.measured_once(callbacks)


if __name__ == "__main__":
    main()
