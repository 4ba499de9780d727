"""The pages of the recipes: purpose, score, commands and script. Written without Keras."""

from __future__ import annotations

from docs.site.pages import contents
from kcatalog import shelf


def recipe_pages() -> dict[str, str]:
    """Return the pages, place -> text."""
    found = {f"recipes/{r.name}.md": _page(r) for r in shelf.recipes()}
    rows = [
        f"| [{r.name}]({r.name}.md) | {r.summary} | {r.result or 'no default score'} |"
        for r in shelf.recipes()
    ]
    lines = [
        "# Recipes",
        "A recipe goes from data to a checked SavedModel by one command: `kcatalog run NAME`. "
        "`kcatalog copy NAME` gives you its script to edit.",
        "\n".join(["| recipe | purpose | default score |", "|---|---|---|", *rows]),
    ]
    text = "\n\n".join(lines) + "\n" + contents(r.name for r in shelf.recipes())
    return {**found, "recipes/index.md": text}


def _page(recipe: shelf.Shipped) -> str:
    score = [f"**Default data:** {recipe.result}."] if recipe.result else []
    script = f"```python\n{recipe.text}```"
    return "\n\n".join([f"# {recipe.name}", *recipe.about, *score, "## Script", script]) + "\n"
