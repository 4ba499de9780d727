"""Measure the variants of an export, as a table for the docs.

    python recipes/image_cnn.py && python recipes/image_cnn.py export --variants all
    python benchmarks/variants.py image_cnn text_gru ...

It prints what stands in the newest exports' manifests: sizes, latencies on the machine that
exported, the largest difference from the live model, and the score on the test part.
"""

import json
import sys

from kcatalog.recipe import export


def main(recipes: list[str]) -> None:
    """Print a table for each recipe."""
    for recipe in recipes:
        folder = export.newest(recipe)
        if folder is None:
            raise SystemExit(f"There is no export of {recipe} here.")
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        metrics = manifest["metrics"]
        print(f"\n`{recipe}`: {metrics['measure']} of the live model {metrics['test']:.4f}\n")
        print("| variant | KB | ms, 1 | ms, 32 | difference | score |")
        print("|---|---|---|---|---|---|")
        plain = {**manifest.get("plain", {}), "size_bytes": manifest["size_bytes"]}
        for name, row in {"SavedModel": plain, **manifest.get("variants", {})}.items():
            print(f"| {name} | {' | '.join(cells(row))} |")


def cells(row: dict) -> list[str]:
    """Return a variant's figures, or why there are none."""
    if "refused" in row:
        return [f"left out: {row['refused']}", "", "", "", ""]
    latency, score = row["latency_ms"], row["score"]
    batch = latency.get("batch_32")
    return [
        f"{row['size_bytes'] / 1024:.0f}",
        f"{latency['single']:.2f}",
        "" if batch is None else f"{batch:.2f}",
        f"{row['largest_difference']:.2g}",
        "" if score is None else f"{score:.4f}",
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
