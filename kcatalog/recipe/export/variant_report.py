"""The words of an export about its variants: why one fails, and a table of what each costs."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from kcatalog.recipe.terminal import output


def faults(rows: dict[Any, Any]) -> list[str]:
    """Return a sentence for each failing variant in a manifest."""
    sentences = []
    for name, row in rows.items():
        if row.get("accepted"):
            sentences.append(f"{name} is kept (--accept), but it fails: {row['failing']}.")
        elif "failing" in row:
            sentences.append(
                f"{name} was left out, because it fails: {row['failing']}. "
                f"Run `export --variants {name} --accept {name}` to export it all the same."
            )
    return sentences


def show(console: Console, manifest: dict[Any, Any]) -> None:
    """Print a table of the variants, and the reasons for those that were left out."""
    measure, live = manifest["metrics"]["measure"], manifest["metrics"]["test"]
    table = output.table("variant", "KB", "ms, 1", "ms, 32", "difference", measure)
    table.add_row("(the live model)", "", "", "", "", f"{live:.4f}")
    plain = {**manifest["plain"], "size_bytes": manifest["size_bytes"]}
    remarks = []
    for name, row in {"SavedModel": plain, **manifest["variants"]}.items():
        if "refused" in row:
            remarks.append(f"{name} was left out: {row['refused']}.")
            continue
        latency, score = row["latency_ms"], row["score"]
        batch, style = latency.get("batch_32"), "red" if "failing" in row else None
        if not style and name in manifest["variants"] and not _gains(row, plain):
            style = "yellow"
            remarks.append(f"{name} is neither smaller nor faster than the SavedModel.")
        table.add_row(
            name,
            f"{row['size_bytes'] / 1024:.0f}",
            f"{latency['single']:.2f}",
            "" if batch is None else f"{batch:.2f}",
            f"{row['largest_difference']:.2g}",
            "" if score is None else f"{score:.4f}",
            style=style,
        )
    console.print(table)
    for sentence in remarks:
        console.print(sentence, style="yellow")


def _gains(row: dict[Any, Any], plain: dict[Any, Any]) -> bool:
    """Return whether a variant is smaller than the SavedModel, or faster in some batch."""
    before, after = plain["latency_ms"], row["latency_ms"]
    faster = any(after[batch] < before[batch] for batch in after if batch in before)
    return faster or row["size_bytes"] < plain["size_bytes"]
