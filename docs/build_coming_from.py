"""Write the tables of docs/coming_from.md: `python docs/build_coming_from.py [--check]`.

The table of a library stands between `<!-- key -->` and `<!-- /key -->`, with the key of its file
in kcatalog/migrate/tables. `make readme` runs this, too.
"""

import re
import sys
from pathlib import Path

from kcatalog.migrate import page, table

PAGE = Path(__file__).parent / "coming_from.md"


def render(text: str) -> str:
    """Return the page with all of its tables as they are now."""
    for key in table.names():
        begin, end = f"<!-- {key} -->", f"<!-- /{key} -->"
        library = table.load(key)
        block = f"{begin}\n{page.section(library)}\n{end}"
        if begin in text:
            text = re.sub(f"{begin}.*{end}", lambda _, new=block: new, text, flags=re.DOTALL)
        else:
            text = f"{text.rstrip()}\n\n## {library.title}\n\n{block}\n"
    return text


def main() -> int:
    """Write the page, or with --check report whether it is up to date."""
    before = PAGE.read_text(encoding="utf-8")
    after = render(before)
    if before == after:
        return 0
    if "--check" in sys.argv:
        print(f"{PAGE.name} is out of date. Run `make readme`.", file=sys.stderr)
        return 1
    PAGE.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
