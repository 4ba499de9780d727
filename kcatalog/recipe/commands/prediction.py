"""`predict`: the newest export's predictions for files and folders, or continuations of texts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from kcatalog.recipe.data import scan
from kcatalog.recipe.export import loading
from kcatalog.recipe.export.loading import Exported
from kcatalog.recipe.terminal import output
from kcatalog.recipe.terminal.errors import RecipeError

SOME_FAILED = 1  # the exit code


def predict(recipe, paths: list[Path], length: int, seed: int, as_json: bool) -> int:
    """Print predictions of all files that can be read, and name the others on stderr.

    Args:
        recipe: the recipe whose newest export predicts.
        paths: files, and folders, which are searched for files.
        length: characters of a continuation.
        seed: draws a continuation.
        as_json: print a JSON object for each file, one a line.

    Returns:
        The exit code: 1 if a file could not be read.

    Raises:
        RecipeError: no file could be read.
    """
    exported = loading.find(recipe)
    console, errors = output.console(), output.console(stderr=True)
    done, bad = [], []
    kind = exported.recipe.source.kind(exported.info)
    for file in _files(paths, kind, errors, bad):
        try:
            done += _read(exported, file, length, seed)
        except RecipeError as e:
            bad.append(str(e))
    if not done:
        raise RecipeError("\n".join(bad))
    if as_json:
        for file, answer in done:
            print(json.dumps({"file": str(file), **answer}, ensure_ascii=False))
    else:
        console.print(str(exported.folder), style="dim")
        _show(console, exported, done)
    for sentence in bad:
        errors.print(sentence)
    return SOME_FAILED if bad else 0


def _read(exported: Exported, file: Path, length: int, seed: int) -> list[tuple[str, dict]]:
    """Return the description of a file, or of each row of a table, under its name."""
    if not file.exists():
        raise RecipeError(f"{file} does not exist.")
    try:
        x = exported.read([file])
    except RecipeError:
        raise
    except Exception as e:  # a reader of the user's own raises almost anything for a broken file
        raise RecipeError(f"{file} cannot be read: {str(e) or type(e).__name__}.") from e
    if exported.task.generates:
        return [(file, {"prompt": x[0], "continuation": exported.go_on(x[0], length, seed)})]
    try:
        found = exported.describe(exported.outputs(x), exported.notes([file]))
    except RecipeError as e:
        raise RecipeError(f"{file}: {e}") from e
    if len(found) == 1:
        return [(file, found[0])]
    return [(f"{file}, row {i}", each) for i, each in enumerate(found, start=1)]


def _files(paths: Iterable[Path], kind: scan.Kind, errors, bad: list[str]) -> Iterator[Path]:
    """Yield the files, and those of the kind in the folders; print what is left out.

    A folder without any adds a sentence to `bad`.
    """
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = scan.Scan(path, kind)
        if not found.files:
            others = scan.suffixes(found.unread) or "none"
            advice = kind.advice(path, found.unread)
            bad.append(
                f"{path} must hold {kind.name} ({' '.join(kind.suffixes)}). Received: {others}."
                + (f" {advice}" if advice else "")
            )
            continue
        for each in found.findings:
            errors.print(f"{path}: {each.about}: {each.text}", style="yellow")
        yield from found.files


def _show(console, exported: Exported, done: list[tuple[Path, dict]]) -> None:
    if exported.task.generates:
        for file, answer in done:
            console.rule(str(file))
            console.print(answer["prompt"], end="", style="dim", soft_wrap=True)
            console.print(answer["continuation"], soft_wrap=True)
        return
    notes = [(file, answer.pop("note", None)) for file, answer in done]
    files, described = zip(*done, strict=True)
    exported.task.show(console, list(files), list(described))
    for file, note in notes:
        if note:
            console.print(f"{file}: {note}", style="yellow", soft_wrap=True)
