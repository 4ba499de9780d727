"""Write the tables of docs/coming_from.md: `python docs/build_coming_from.py [--check]`.

The table of a library stands between `<!-- key -->` and `<!-- /key -->`, with the key of its file
in kcatalog/migrate/tables. A program stands between `<!-- program NAME -->` and
`<!-- /program -->`, with the name of its file in docs/examples. `make readme` runs this, too.
"""

import re
import sys
from pathlib import Path

from kcatalog.migrate import page, table

PAGE = Path(__file__).parent / "coming_from.md"
PROGRAM = re.compile("(<!-- program (.*?) -->\n).*?(<!-- /program -->)", re.DOTALL)


def render(text: str) -> str:
    """Return the page with all of its tables and programs as they are now."""
    for key in table.names():
        begin, end = f"<!-- {key} -->", f"<!-- /{key} -->"
        library = table.load(key)
        block = f"{begin}\n{page.section(library)}\n{end}"
        if begin in text:
            text = re.sub(f"{begin}.*{end}", lambda _, new=block: new, text, flags=re.DOTALL)
        else:
            text = f"{text.rstrip()}\n\n## {library.title}\n\n{block}\n"
    return PROGRAM.sub(_program, text)


def _program(found: re.Match) -> str:
    """Return a program of docs/examples between its marks."""
    code = (PAGE.parent / "examples" / f"{found[2]}.py").read_text(encoding="utf-8")
    return f"{found[1]}\n```python\n{code}```\n\n{found[3]}"


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
