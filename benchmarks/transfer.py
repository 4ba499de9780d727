"""Compare transfer learning with training from nothing, on digits and without a network.

    python benchmarks/transfer.py [--seeds 3]

For each seed, `image_cnn` learns the digits 0 to 4. Its model is then the backbone of another
`image_cnn`, which learns 5 to 9 from few images a class; a third one learns them from nothing. All
are trained and scored by the recipe's commands, in processes of their own. The scores are saved in
`results/transfer.json`, from which `make readme` renders the table of docs/transfer_learning.md.
Takes about 6 minutes of processor time.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "transfer.json"

KNOWN, NEW = range(5), range(5, 10)
SAMPLES, EPOCHS = 10, 60  # images a class, and epochs of the digits 5 to 9
IMAGES = ("--size", "8", "--channels", "1")
BACKBONE = ("--backbone", "source/model.keras")
CONTESTANTS = {
    "from nothing": (),
    "with the backbone": BACKBONE,
    "with the backbone, the head alone": (*BACKBONE, "--head-epochs", str(EPOCHS)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    seeds = range(parser.parse_args().seeds)
    rows = [measure(seed) for seed in seeds]
    settings = {"samples": SAMPLES, "epochs": EPOCHS, "seeds": len(seeds)}
    settings |= {"test_samples": rows[0].pop("test_samples")}
    scores = {name: [row[name] for row in rows] for name in rows[0]}
    RESULTS.write_text(json.dumps({**settings, "scores": scores}, indent=1) + "\n")


def measure(seed: int) -> dict:
    """Return the test accuracy of each contestant, and of the recipe's baseline."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_images(folder, seed)
        recipe(folder, seed, "train", "--data", "known", *IMAGES, "--run-dir", "source")
        found = {}
        for contestant, options in CONTESTANTS.items():
            data = "--data", "few", *IMAGES, "--epochs", str(EPOCHS)
            run = "--run-dir", contestant
            recipe(folder, seed, "train", *data, *options, *run)
            recipe(folder, seed, "evaluate", *run)
            metrics = json.loads((folder / contestant / "metrics.json").read_text())
            found[contestant] = metrics["test"]
            print(f"seed {seed}, {contestant}: {metrics['test']:.4f}", flush=True)
    baseline = metrics["baseline"]
    return {**found, baseline["name"]: baseline["test"], "test_samples": metrics["test_samples"]}


def write_images(folder: Path, seed: int) -> None:
    """Write 0 to 4 to `known`; of 5 to 9, `SAMPLES` a class to `few/train`, the rest to
    `few/test`."""
    images, digits = load_digits(return_X_y=True)
    images = np.uint8(np.round(images.reshape(-1, 8, 8) * 255 / 16))
    draw = np.random.default_rng(seed)
    for digit in (*KNOWN, *NEW):
        for place, i in enumerate(draw.permutation(np.flatnonzero(digits == digit))):
            part = "train" if place < SAMPLES else "test"
            inside = folder / ("known" if digit in KNOWN else f"few/{part}") / str(digit)
            inside.mkdir(parents=True, exist_ok=True)
            Image.fromarray(images[i]).save(inside / f"{i}.png")


def recipe(folder: Path, seed: int, command: str, *options: str) -> None:
    """Run a command of `image_cnn` in the folder."""
    script = ROOT / "recipes" / "image_cnn.py"
    seeded = ("--seed", str(seed)) if command == "train" else ()
    program = [sys.executable, str(script), command, *options, *seeded]
    subprocess.run(program, cwd=folder, check=True, capture_output=True)


if __name__ == "__main__":
    main()
