"""Scores of the recipes on their default data, whole way, over several seeds.

    python benchmarks/recipe_scores.py [image_cnn speech_lstm text_gru] [--seeds 3]

Takes a few minutes per recipe and seed; works in a temporary directory.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RECIPES = Path(__file__).parents[1] / "recipes"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipes", nargs="*", default=["image_cnn", "speech_lstm", "text_gru"])
    parser.add_argument("--seeds", type=int, default=3)
    chosen = parser.parse_args()
    for recipe in chosen.recipes:
        scores = [measure(recipe, seed) for seed in range(chosen.seeds)]
        print(f"{recipe}: mean {statistics.mean(scores):.4f}\n", flush=True)


def measure(recipe: str, seed: int) -> float:
    """One whole way in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        begin, script = time.monotonic(), str(RECIPES / f"{recipe}.py")
        command = [sys.executable, script, "--seed", str(seed), "--run-dir", "run"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        facts = json.loads((Path(folder) / "run" / "metrics.json").read_text())
        print(
            f"{recipe}, seed {seed}: {facts['measure']} {facts['test']:.4f}, "
            f"{facts['baseline']['name']} {facts['baseline']['test']:.4f}, "
            f"{time.monotonic() - begin:.0f} s",
            flush=True,
        )
        return facts["test"]


if __name__ == "__main__":
    main()
