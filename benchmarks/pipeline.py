"""Images a second out of a folder: Keras's `image_dataset_from_directory`, and the engine.

    python benchmarks/pipeline.py [--images 600] [--edge 256] [--size 64] [--turns 5]

Pictures of noise and stripes are drawn, half of them PNG, half JPEG. All contestants take turns
in one process; printed are medians over the turns. "Cold" is a first epoch, in which every file is
decoded (the system may have its bytes in memory), "cached" the one after. Keras's dataset decodes
in every epoch; with `cache()` behind it, later epochs have the first one's order.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from kcatalog.recipe.data import Images
from kcatalog.recipe.feed import pipeline
from kcatalog.recipe.feed.batches import Batches

BATCH_SIZE = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--edge", type=int, default=256, help="of the files, in pixels")
    parser.add_argument("--size", type=int, default=64, help="of what the model gets")
    parser.add_argument("--turns", type=int, default=5)
    asked = parser.parse_args()
    contestants = {
        "keras, image_dataset_from_directory": keras_plain,
        "the same, cached": keras_cached,
        "kcatalog, kept in memory": lambda *where: ours(*where, memory=1.0),
        "kcatalog, kept on disk": lambda *where: ours(*where, memory=0.0),
    }
    rates = {name: ([], []) for name in contestants}
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder), asked.images, asked.edge)
        for _ in range(asked.turns):
            for name, contestant in contestants.items():
                begin_epoch = contestant(Path(folder), asked.size)
                for cached in (0, 1):
                    rates[name][cached].append(images_a_second(begin_epoch, cached))
    edge, size = asked.edge, asked.size
    print(f"{asked.images} files of {edge} x {edge} pixels to {size} x {size},")
    print(f"medians of {asked.turns} turns, {os.cpu_count()} CPUs, images a second\n")
    print(f"| {'pipeline':<36} | cold | cached |\n|---|---|---|")
    for name, (cold, cached) in rates.items():
        print(f"| {name:<36} | {statistics.median(cold):.0f} | {statistics.median(cached):.0f} |")


def images_a_second(begin_epoch, epoch: int) -> float:
    """Measure how fast an epoch's batches come when nothing is done with them."""
    began, count = time.perf_counter(), 0
    for x, _ in begin_epoch(epoch):
        count += len(x)
    return count / (time.perf_counter() - began)


def keras_plain(folder: Path, size: int):
    """As Keras's own documentation has it."""
    dataset = keras.utils.image_dataset_from_directory(
        folder, image_size=(size, size), batch_size=BATCH_SIZE, verbose=False
    )
    return lambda epoch: dataset


def keras_cached(folder: Path, size: int):
    """Decode each sample once, in the first epoch's order."""
    dataset = keras_plain(folder, size)(0).cache().prefetch(tf.data.AUTOTUNE)
    return lambda epoch: dataset


def ours(folder: Path, size: int, memory: float):
    """Return what the engine gives `fit` for the training part."""
    data = Images(size=size).from_path(folder, seed=0)
    data.keep(folder, memory)
    batches = Batches(*data.train, BATCH_SIZE, seed=0)
    dataset = pipeline.stream(batches, [])

    def begin_epoch(epoch: int):
        batches.start(epoch)
        return dataset

    return begin_epoch


def draw(folder: Path, count: int, edge: int) -> None:
    """Two classes of stripes under noise."""
    rng, stripes = np.random.default_rng(0), 60 * np.sin(np.arange(edge) / 4)[:, None, None]
    for label, name in enumerate(("across", "down")):
        (folder / name).mkdir()
        for i in range(count // 2):
            noise = rng.normal(128, 20, (edge, edge, 3))
            pixels = noise + (stripes if label else stripes.transpose(1, 0, 2))
            image = Image.fromarray(np.clip(pixels, 0, 255).astype("uint8"))
            image.save(folder / name / f"{i:05}.{'png' if i % 2 else 'jpg'}")


if __name__ == "__main__":
    main()
