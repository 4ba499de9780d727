"""Score the recipes on their offline data, the whole way, over several seeds.

    python benchmarks/recipe_scores.py [image_cnn ... "embedding_triplet --data vowels"] [--seeds 3]

Prints each run as it ends and saves the scores in `results/recipe_scores.json`, from which
`make readme` renders the README's table; recipes that were not run keep their rows. Minutes are
processor minutes of a run. Works in a temporary directory.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

RECIPES = Path(__file__).parents[1] / "recipes"
RESULTS = Path(__file__).parent / "results" / "recipe_scores.json"
ALL = [
    "image_cnn",
    "speech_lstm",
    "text_gru",
    "text_classifier",
    "embedding_triplet",
    "embedding_triplet --data vowels",
    "forecast_gru",
    "segmentation_unet",
    "tabular_mlp",
    "tabular_mlp --data breast_cancer",
    "margin_mlp",
    "translate_gru",
    "sequence_tagger",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipes", nargs="*", default=ALL)
    parser.add_argument("--seeds", type=int, default=3)
    chosen = parser.parse_args()
    rows = {r["recipe"]: r for r in json.loads(RESULTS.read_text())} if RESULTS.exists() else {}
    for recipe in chosen.recipes:
        runs = [measure(recipe, seed) for seed in range(chosen.seeds)]
        rows[recipe] = {
            "recipe": recipe,
            "measure": runs[0]["measure"],
            "higher": runs[0]["higher"],
            "scores": [r["test"] for r in runs],
            "baseline": runs[0]["baseline"]["test"],
            "baseline_name": runs[0]["baseline"]["name"],
            "minutes": statistics.median(r["minutes"] for r in runs),
        }
        RESULTS.write_text(json.dumps([rows[r] for r in ALL if r in rows], indent=1) + "\n")


def measure(recipe: str, seed: int) -> dict:
    """One whole way in a process of its own: what it scored and what time it took."""
    with tempfile.TemporaryDirectory() as folder:
        name, *options = recipe.split()
        begin, script = processor_minutes(), str(RECIPES / f"{name}.py")
        command = [sys.executable, script, *options, "--seed", str(seed), "--run-dir", "run"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        facts = json.loads((Path(folder) / "run" / "metrics.json").read_text())
    facts["minutes"] = processor_minutes() - begin
    print(f"{recipe}, seed {seed}: {facts['test']:.4f}, {facts['minutes']:.1f} min", flush=True)
    return facts


def processor_minutes() -> float:
    """Return the processor minutes of all processes that this one has started so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) / 60


if __name__ == "__main__":
    main()
