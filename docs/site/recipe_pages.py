"""The pages of the recipes: purpose, pictures, score, commands and script, without Keras."""

from __future__ import annotations

from docs.site.pages import ROOT, contents
from kcatalog import shelf

PICTURES = ROOT / "docs" / "images" / "recipes"
ABOUT = {
    "": "what TensorBoard shows of its test split",
    "_served": "the served model, with an answer",
}
_MISTAKES_FIRST = "of the test split. The mistakes among all of them come first, with red titles."
_CONFUSION = "How many samples of the test split have each true and each predicted class."
# What a picture of the test split shows.
CAPTIONS = {
    "embedding_triplet": f"Images {_MISTAKES_FIRST}",
    "forecast_gru": "Forecasts and prediction intervals of the test split, with the truth.",
    "image_cnn": f"Images {_MISTAKES_FIRST}",
    "margin_mlp": _CONFUSION,
    "segmentation_unet": "Images of the test split with their true and their predicted masks.",
    "sequence_tagger": "How many tokens of the test split have each true and each predicted tag.",
    "speech_lstm": f"Utterances {_MISTAKES_FIRST}",
    "tabular_mlp": "Predicted and true values of the test split; exact ones lie on the line.",
    "text_classifier": _CONFUSION,
    "text_gru": "Characters of the test split, true and predicted: the 32 most confused of them.",
}
_SERVED = "The page that `serve` shows in a browser, with an answer of the model."
INTRODUCTION = """# Recipes

A recipe goes from data to a checked SavedModel by one command: `kcatalog run NAME`. `kcatalog copy
NAME` gives you its script to edit. Each has default data that needs no download, and takes your own
with `--data`.

Scores are means over three seeds of the whole way, with tuning (`python
benchmarks/recipe_scores.py`); minutes are processor minutes. Pictures come from a run with the
default hyperparameters (`python docs/recipe_pictures.py`)."""


def recipe_pages() -> dict[str, str | bytes]:
    """Return the pages and their pictures: place -> content."""
    recipes = shelf.recipes()
    found = {f"recipes/{r.name}.md": _page(r) for r in recipes}
    found |= {f"recipes/images/{f.name}": f.read_bytes() for f in sorted(PICTURES.glob("*.png"))}
    text = "\n\n".join([INTRODUCTION, *(_entry(r) for r in recipes)])
    return {**found, "recipes/index.md": text + "\n" + contents(r.name for r in recipes)}


def _entry(recipe: shelf.Shipped) -> str:
    """Return a recipe's section of the gallery."""
    lines = [f"## [{recipe.name}]({recipe.name}.md)", recipe.summary, *_score(recipe)]
    return "\n\n".join([*lines, *_pictures(recipe)])


def _page(recipe: shelf.Shipped) -> str:
    script = f"## Script\n\n```python\n{recipe.text}```"
    lines = [f"# {recipe.name}", *recipe.about, *_score(recipe), *_pictures(recipe), script]
    return "\n\n".join(lines) + "\n"


def _score(recipe: shelf.Shipped) -> list[str]:
    return [f"**Default data:** {recipe.result}."] if recipe.result else []


def _pictures(recipe: shelf.Shipped) -> list[str]:
    """Return its pictures side by side, on a phone one below the other; nothing if it has none."""
    items = [
        f":::{{grid-item}}\n![{recipe.name}: {words}](images/{recipe.name}{suffix}.png)\n\n"
        f"{_SERVED if suffix else CAPTIONS.get(recipe.name, '')}\n:::"
        for suffix, words in ABOUT.items()
        if (PICTURES / f"{recipe.name}{suffix}.png").is_file()
    ]
    return ["\n".join(["::::{grid} 1 1 2 2", *items, "::::"])] if items else []
