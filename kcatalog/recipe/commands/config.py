"""`--config run.toml`: options and hyperparameters for a new run, from the file of another."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from kcatalog import checks
from kcatalog.recipe.commands.options import SearchOptions, fields, flag, initial
from kcatalog.recipe.commands.words import words_of
from kcatalog.recipe.files import run_toml
from kcatalog.recipe.terminal.errors import RecipeError


def read(file: Path, recipe) -> dict:
    """Return the tables of a file, or refuse what no run of the recipe has."""
    try:
        tables = run_toml.read(file)
    except RecipeError as e:
        raise RecipeError(
            f"--config: {e} Correct it, or choose the {run_toml.NAME} of a run."
        ) from e
    if (name := tables.get("recipe", recipe.name)) != recipe.name:
        raise RecipeError(
            f"--config {file} is of the recipe {name}, and this is {recipe.name}. Run {name}, or "
            f"choose the {run_toml.NAME} of a run of {recipe.name}."
        )
    known = initial(recipe)
    for table, names in ((tables, run_toml.KEYS), (tables.get("options", {}), known)):
        for key in table:
            if key not in names:
                closest = checks.closest(key, names)
                raise RecipeError(f"--config {file} has an unknown key {key!r}. {closest}")
    for key in ("options", "hyperparameters", "versions"):
        if not isinstance(tables.get(key, {}), dict):
            raise RecipeError(f"--config {file}: {key} must be a table. Write it as [{key}].")
    for key, value in tables.get("options", {}).items():
        if isinstance(value, list) != isinstance(known[key], list):
            kind = "a list" if isinstance(known[key], list) else "one value"
            raise RecipeError(f"--config {file}: {key} must be {kind}. Received: {value!r}.")
    return tables


def expand(arguments: list[str], recipe, commands) -> list[str]:
    """Return the command line with the options in its `--config` before those that were typed,
    which therefore win."""
    words = []
    for word in arguments:
        words += word.split("=", 1) if word.startswith("--config=") else [word]
    if "--config" not in words[:-1]:
        return arguments
    file = Path(words[words.index("--config") + 1])
    tables, at = read(file, recipe), int(words[0] in commands)
    if tables.get("hyperparameters") and not at:
        _check_search(file, words)
    stored, options = initial(recipe), []
    for field in fields(words[0] if at else "", recipe.source):
        value = tables.get("options", {}).get(field.name)
        if value is None or value == stored[field.name]:
            continue
        options += words_of(field, value)
    return [*words[:at], *options, *words[at:]]


def _check_search(file: Path, words: list[str]) -> None:
    """Refuse options of a search that does not take place."""
    searches = {flag(field) for field in dataclasses.fields(SearchOptions)}
    if typed := [word for word in words if word.partition("=")[0] in searches]:
        raise RecipeError(
            f"Leave out {', '.join(typed)}: {file} has hyperparameters, so there is no search. To "
            f"search again, use `tune --config {file}`, or remove [hyperparameters] from the file."
        )


def versions() -> dict[str, str]:
    """Return the versions that a run stores: with the same ones it ends in the same weights."""
    import keras

    return run_toml.versions(["kcatalog", "keras", "keras-tuner", keras.backend.backend(), "numpy"])


def changes(file: Path, tables: dict, facts: dict) -> Iterator[str]:
    """Yield a sentence for what differs from the run that wrote a file: then weights may, too."""
    was, now = tables.get("versions", {}), facts["versions"]
    other = [
        f"{name} {was.get(name, 'not used')} (now {now.get(name, 'not used')})"
        for name in {**was, **now}
        if was and was.get(name) != now.get(name)
    ]
    if other:
        yield f"{file} was written with other versions, so weights may differ: {', '.join(other)}."
    if tables.get("data_sha256", facts["began"]) != facts["began"]:
        yield f"The data are not those that {file} was written for, so weights may differ."
