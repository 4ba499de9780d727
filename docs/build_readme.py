"""Writes the generated parts of README.md: `python docs/build_readme.py [--check]`.

What stands between `<!-- parts -->` and `<!-- /parts -->` is rendered from the catalog, so that
the table cannot say anything that the parts do not.
"""

import re
import sys
from pathlib import Path

from kcatalog import registry

README = Path(__file__).parent.parent / "README.md"


def parts_table() -> str:
    """Every part of kcatalog as a Markdown table, by kind."""
    rows = ["| part | what it does | source |", "|---|---|---|"]
    for e in registry.find(origin="kcatalog"):
        paper = e.card.paper
        source = f"[{paper.authors.split(',')[0]} {paper.year}]({paper.link})"
        rows.append(f"| `{e.path.removeprefix('kcatalog.')}` | {e.summary} | {source} |")
    names = [f"`{e.path.removeprefix('keras.')}`" for e in registry.find(origin="keras")]
    beside = "Listed beside them, and tunable the same way, Keras's own: "
    return "\n".join(rows) + f"\n\n{beside}{', '.join(names)}."


def render(text: str) -> str:
    """README text with its generated part made anew."""
    block = f"<!-- parts -->\n{parts_table()}\n<!-- /parts -->"
    return re.sub(r"<!-- parts -->.*<!-- /parts -->", lambda _: block, text, flags=re.DOTALL)


def main() -> int:
    """Write the README, or with --check say whether it is up to date."""
    before = README.read_text(encoding="utf-8")
    after = render(before)
    if "--check" in sys.argv:
        if before != after:
            print("README.md is out of date. Run `make readme`.", file=sys.stderr)
        return int(before != after)
    README.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
