"""Memory of a search over small LSTMs, trial by trial, in one process and with --isolate.

    KERAS_BACKEND=tensorflow python benchmarks/tuning_memory.py [--trials 30]

Prints what the search's own process occupies (RSS) after each trial, and seconds a trial. Needs
Linux. Works in a temporary directory.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import keras
from keras import layers

from kcatalog.recipe import Recipe
from kcatalog.recipe.data import Speech
from kcatalog.recipe.tasks import baselines


def build(hp, data):
    """Return an LSTM over cepstral coefficients."""
    inputs = keras.Input((None, data.input_shape[-1]), name=data.input_name)
    x = layers.LSTM(hp.Int("units", 8, 64))(layers.Masking()(inputs))
    model = keras.Model(inputs, layers.Dense(len(data.classes))(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(hp.Float("rate", 1e-3, 1e-2)), loss, metrics=["accuracy"])
    return model


recipe = Recipe("lstm", Speech("japanese_vowels"), build, baselines.logistic_regression)


def measure(trials: int, *options: str) -> list[tuple[float, float]]:
    """MB and seconds after each trial."""
    command = [
        sys.executable,
        str(Path(__file__).resolve()),
        "tune",
        "--trials",
        str(trials),
        "--trial-epochs",
        "1",
    ]
    points = []
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [*command, *options, "--devices", "cpu"],
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process,
    ):
        for line in process.stdout:
            if line.startswith("Trial ") and "failed" not in line:
                pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
                points.append((pages * os.sysconf("SC_PAGE_SIZE") / 2**20, time.monotonic()))
    return points


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=30)
    trials = parser.parse_args().trials
    rows = {"one process": measure(trials), "--isolate": measure(trials, "--isolate")}
    print(f"{keras.backend.backend()}, {trials} trials")
    for name, points in rows.items():
        every = max(1, len(points) // 10)
        shown = ", ".join(f"{mb:.0f}" for mb, _ in [*points[::every], points[-1]])
        seconds = (points[-1][1] - points[0][1]) / max(1, len(points) - 1)
        print(f"  {name:12} MB after trials: {shown}; {seconds:.1f} s a trial")


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in ("tune", "trial"):
        recipe.main()
    else:
        main()
