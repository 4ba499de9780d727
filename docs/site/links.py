"""Checks of the finished pages: every link leads somewhere, and nothing is loaded from a host."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


class _Page(HTMLParser):
    """The links, loaded files and anchors of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.links, self.loaded, self.anchors = set(), set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.anchors |= {found.get("id"), found.get("name")} - {None}
        if tag == "a" and found.get("href"):
            self.links.add(found["href"])
        address = found.get(LOADED.get(tag, ""))
        if address and found.get("rel") not in ("canonical", "search", "next", "prev"):
            self.loaded.add(address)

    def has(self, fragment: str) -> bool:
        """Return whether an address with this fragment leads somewhere on the page."""
        return unquote(fragment) in self.anchors | {"top"}


def faults(root: Path) -> list[str]:
    """Return a sentence for each broken link and each file loaded from elsewhere."""
    files = [f for f in sorted(root.rglob("*.html")) if root / "_static" not in f.parents]
    pages = {file: _Page(file.read_text(encoding="utf-8")) for file in files}
    found = []
    for file, page in pages.items():
        place = file.relative_to(root)
        hosts = sorted(a for a in page.loaded if urlsplit(a).netloc)
        found += [f"{place} loads {address}: take it into the page." for address in hosts]
        for link in sorted(page.links | (page.loaded - set(hosts))):
            url = urlsplit(link)
            if url.scheme or url.netloc:
                continue
            target = (file.parent / unquote(url.path)).resolve() if url.path else file
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                found.append(f"{place} links to {link}: there is no such file.")
            elif url.fragment and target in pages and not pages[target].has(url.fragment):
                found.append(f"{place} links to {link}: the page has no such anchor.")
    return found
