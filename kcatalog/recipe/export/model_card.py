"""The model card: what an exported model is, how good it is and how to call it, for a reader."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kcatalog.recipe.data import DataInfo
from kcatalog.recipe.data.findings import listed
from kcatalog.recipe.export import how_to_load

NAME = "MODEL_CARD.md"
MOST_CLASSES = 20


def text(recipe: str, info: DataInfo, manifest: dict[Any, Any], classes: Sequence[str] = ()) -> str:
    """Return the card in Markdown.

    Args:
        recipe: the recipe's name.
        info: of the data.
        manifest: the entries of `manifest.json`.
        classes: names to list; the characters of a text are none.
    """
    sections = [
        ("", [_summary(info), *(f"> **Warning:** {each}" for each in manifest["warnings"])]),
        ("Scores", _scores(manifest.get("metrics"))),
        ("Data", _data(info, manifest.get("findings", []), classes)),
        ("Limits", _limits(info, manifest, classes)),
        ("Loading it", how_to_load.paragraphs(recipe, info, manifest)),
        ("Signatures", _signatures(manifest["signatures"])),
        ("Variants", _variants(manifest)),
        ("Hyperparameters", _table(("name", "value"), manifest.get("hyperparameters", {}).items())),
        ("Origin", _origin(manifest)),
    ]
    written = [f"# {recipe}"]
    for title, paragraphs in sections:
        if paragraphs:
            written += [*([f"## {title}"] if title else []), *paragraphs]
    return "\n\n".join(written) + "\n"


def _summary(info: DataInfo) -> str:
    shape = " x ".join(map(str, info.input_shape)) or "one value"
    return (
        f"A Keras model for the task {info.task!r}, trained on {_code(info.name)}. Its input is "
        f"{_code(info.input_name)} ({shape})."
    )


def _scores(metrics: dict[Any, Any] | None) -> list[str]:
    if metrics is None:
        return []
    baseline, better = metrics["baseline"], "higher" if metrics["higher"] else "lower"
    rows = [
        ("this model", metrics["test"]),
        (f"baseline: {baseline['name']}", baseline["test"]),
    ]
    return [
        f"On {metrics['test_samples']} test samples; {better} is better.",
        *_table(("", metrics["measure"]), rows),
        *_table(("further measure", "this model"), metrics.get("further", {}).items()),
    ]


def _data(info: DataInfo, findings: list[dict[Any, Any]], classes: Sequence[str]) -> list[str]:
    rows = [(each["about"], each["text"]) for each in findings]
    if classes:
        rows.append(("class names", listed(classes, MOST_CLASSES)))
    if info.fingerprint:
        rows.append(("SHA-256", info.fingerprint))
    return _table(("about", "found"), rows)


def _limits(info: DataInfo, manifest: dict[Any, Any], classes: Sequence[str]) -> list[str]:
    metrics, entries = manifest.get("metrics"), []
    if metrics:
        entries.append(
            f"Its scores are those of {metrics['test_samples']} test samples of "
            f"{_code(info.name)}. They say nothing about data from elsewhere."
        )
    if classes:
        entries.append(
            f"It knows {len(classes)} classes, and answers with these for any input, also for one "
            "that belongs to none."
        )
    if "largest_difference" in manifest:
        entries.append(
            "On test samples, the SavedModel's outputs differ from the trained model's by at most "
            f"{manifest['largest_difference']:.2g}."
        )
    if reason := manifest.get("no_step"):
        entries.append(f"It has no signature `step`: {reason}.")
    return ["\n".join(f"- {each}" for each in entries)] if entries else []


def _signatures(signatures: dict[Any, Any]) -> list[str]:
    rows = [
        (_code(name), *(", ".join(map(_code, entry[side])) for side in ("inputs", "outputs")))
        for name, entry in signatures.items()
    ]
    return _table(("signature", "inputs", "outputs"), rows)


def _variants(manifest: dict[Any, Any]) -> list[str]:
    rows = []
    for name, row in manifest.get("variants", {}).items():
        score, kept = row.get("score"), "file" in row
        rows.append(
            (
                name,
                _code(row["file"]) if kept else "left out",
                f"{row['size_bytes'] / 1024:.0f}" if kept else "",
                "" if score is None else f"{score:.4g}",
                row.get("refused") or row.get("failing") or "passed",
            )
        )
    return _table(("variant", "file", "KB", "score", "check"), rows)


def _origin(manifest: dict[Any, Any]) -> list[str]:
    settings = manifest.get("settings", {})
    rows = [
        ("command", _code(manifest["command"]) if manifest.get("command") else ""),
        ("run", _code(manifest["run"]) if manifest.get("run") else ""),
        ("seed", settings.get("seed", "")),
        ("precision", settings.get("precision", "")),
        ("trained on", manifest.get("metrics", {}).get("device", "")),
        *manifest["versions"].items(),
    ]
    return _table(("", ""), [row for row in rows if row[1] != ""])


def _table(header: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> list[str]:
    """Return a table as one paragraph; none without rows."""
    rows = [list(map(_cell, row)) for row in rows]
    if not rows:
        return []
    lines = [header, ["---"] * len(header), *rows]
    return ["\n".join(f"| {' | '.join(line)} |" for line in lines)]


def _cell(value) -> str:
    words = f"{value:.6g}" if isinstance(value, float) else str(value)
    return " ".join(words.replace("|", "\\|").split())


def _code(words) -> str:
    return f"`{words}`"
