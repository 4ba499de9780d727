"""`predict`: the exported model, in plain TensorFlow, on the user's own files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from kcatalog.recipe import export
from kcatalog.recipe.errors import RecipeError
from kcatalog.recipe.rundir import read_json

CONTEXT = 256  # characters the model looks back on while it writes


def predict(recipe, files: list[Path], length: int, seed: int) -> None:
    """Print what the newest exported model says of each file, or how it goes on from a text."""
    folder = export.newest(recipe.name)
    if folder is None:
        raise RecipeError(f"There is no exported {recipe.name} yet. Run `export` first.")
    missing = next((f for f in files if not f.exists()), None)
    if missing is not None:
        raise RecipeError(f"{missing} does not exist.")
    facts = read_json(folder / "manifest.json")["data"]
    inputs = recipe.source.read(files, facts)
    answer = load(folder)
    console = Console(soft_wrap=True)
    console.print(f"{folder}", style="dim", highlight=False)
    if facts["task"] == "next-character":
        for file, prompt in zip(files, inputs, strict=True):
            console.rule(str(file), align="left")
            text = generate(answer, prompt, length, facts["classes"], seed)
            console.print(prompt, end="", markup=False, highlight=False, style="dim")
            console.print(text, markup=False, highlight=False)
        return
    answers = answer(**{facts["input_name"]: inputs})
    if facts["task"] == "embedding":
        console.print(_matches(files, answers["embedding"]))
        return
    table = Table("file", "label", "probability")
    for file, label, p in zip(files, answers["label"], answers["probabilities"], strict=True):
        table.add_row(str(file), label.decode(), f"{p.max():.3f}")
    console.print(table)


def _matches(files: list[Path], embeddings: np.ndarray) -> Table:
    """Each file, and which of the others is most like it."""
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    cosines = unit @ unit.T - 2 * np.eye(len(files))
    table = Table("file", "most similar of the others", "cosine")
    for i, file in enumerate(files):
        match = int(cosines[i].argmax())
        other = (str(files[match]), f"{cosines[i, match]:.3f}") if match != i else ("", "")
        table.add_row(str(file), *other)
    return table


def load(folder: Path):
    """The exported model as a function from arrays to arrays."""
    import tensorflow as tf

    try:
        model = tf.saved_model.load(str(folder))
    except (OSError, tf.errors.OpError) as e:
        raise RecipeError(f"{folder} is damaged: {e}. Export again.") from e
    signature = model.signatures["serving_default"]

    def answer(**inputs) -> dict[str, np.ndarray]:
        tensors = {k: tf.constant(v) for k, v in inputs.items()}
        return {k: v.numpy() for k, v in signature(**tensors).items()}

    answer.model = model  # TensorFlow lets go of a model whose functions alone are held
    return answer


def generate(answer, prompt: str, length: int, classes: list[str], seed: int) -> str:
    """`length` characters, each drawn from the model's probabilities."""
    rng, text = np.random.default_rng(seed), prompt
    for _ in range(length):
        p = answer(text=[text[-CONTEXT:]])["probabilities"][0].astype("float64")
        text += classes[rng.choice(len(classes), p=p / p.sum())]
    return text[len(prompt) :]
