"""Files below a folder: those that are read, those that are not, and why."""

from __future__ import annotations

import collections
import os
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kcatalog.recipe.data.findings import Finding, counted, listed
from kcatalog.recipe.terminal.errors import RecipeError

# Written by systems and tools, not by people who collect data
SYSTEM = {
    "__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "lost+found", "$recycle.bin",
    "system volume information", "@eadir", "__pycache__", "#recycle", "recycler", "found.000",
    "picasa.ini", "icon\r",
}  # fmt: skip
UNFINISHED = (".part", ".crdownload", ".download", ".partial", ".tmp", ".bak", "~")
ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
NOTHING = re.compile(rb"(?!)")  # matches no file's beginning


@dataclass(frozen=True)
class Kind:
    """A kind of files that a source reads.

    name: what such files are, such as "images".
    suffixes: those of the files that are read.
    begins: matches the first 16 bytes of a file that can be read, whatever its name is.
    others: suffixes of files of this kind that cannot be read, and how to get on with each.
        `{folder}` and `{suffix}` are filled in.
    """

    name: str
    suffixes: tuple[str, ...]
    begins: re.Pattern[bytes]
    others: dict[str, str]

    def advice(self, folder: Path, files: Iterable[Path]) -> str:
        """Return how to get on with files of this kind that cannot be read, or nothing."""
        found = [f.suffix.lower() for f in files if self._unconverted(f)]
        if not found:
            return ""
        suffix = collections.Counter(found).most_common(1)[0][0]
        return self.others[suffix].format(folder=shlex.quote(str(folder)), suffix=suffix)

    def _unconverted(self, file: Path) -> bool:
        copies = (file.with_name(file.name + suffix) for suffix in self.suffixes)
        return file.suffix.lower() in self.others and not any(copy.exists() for copy in copies)


class Scan:
    """All files below a folder.

    files: those that are read.
    unread: those with other suffixes.
    of_kind: those that are read or could be converted.
    findings: what was left out or read in spite of its name.
    """

    def __init__(self, root: Path, kind: Kind):
        self.root, self.kind = root, kind
        self.files: list[Path] = []
        self.unread: list[Path] = []
        self._left: dict[str, list[Path]] = collections.defaultdict(list)
        self._seen: set[Path] = set()
        links = self._walk(root)
        while links:  # linked folders come last: a file belongs to where it really is
            links = [deeper for link in links for deeper in self._follow(link)]
        self.files.sort()
        self.of_kind = {*self.files, *(f for f in self.unread if f.suffix.lower() in kind.others)}

    def _walk(self, folder: Path) -> list[Path]:
        """Sort the files below a folder. Return the links to folders in it."""
        if folder.resolve() in self._seen:
            self._left["link to what is read already"].append(folder)
            return []
        self._seen.add(folder.resolve())
        try:
            entries = sorted(folder.iterdir())
        except OSError:
            self._left["unreadable"].append(folder)
            return []
        links, before = [], len(self.files) + len(self.unread)
        for entry in entries:
            reason = _reason(entry)
            if reason:
                self._left[reason].append(entry)
            elif not entry.is_dir():
                self._sort(entry)
            elif entry.is_symlink():
                links.append(entry)
            else:
                links += self._walk(entry)
        if len(self.files) + len(self.unread) == before and not links and folder != self.root:
            self._left["empty folder"].append(folder)
        return links

    def _follow(self, link: Path) -> list[Path]:
        if link.resolve() in self._seen:
            self._left["link to what is read already"].append(link)
            return []
        self._left["followed"].append(link)
        return self._walk(link)

    def _sort(self, file: Path) -> None:
        if file.suffix.lower() in self.kind.suffixes:
            self.files.append(file)
        elif file.suffix.lower() not in self.kind.others and _begins(file, self.kind.begins):
            self._left["by content"].append(file)
            self.files.append(file)
        else:
            self.unread.append(file)

    @property
    def spoilt(self) -> list[Path]:
        """The files that have nothing to be read, or may not be."""
        return [f for why in ("empty file", "unreadable", "broken link") for f in self._left[why]]

    @property
    def findings(self) -> list[Finding]:
        """Report what was left out, by reason, and what was read in spite of its name."""
        left, found = dict(self._left), []
        followed, by_content = left.pop("followed", []), left.pop("by content", [])
        if self.unread:
            advice = self.kind.advice(self.root, self.unread)
            text = f"{suffixes(self.unread)}: not read as {self.kind.name}"
            text += f". {advice}" if advice else ""
            found.append(Finding("left out", text, warning=bool(advice)))
        for reason, paths in filter(lambda item: item[1], left.items()):
            names = listed((self._name(p) for p in paths), most=3)
            text = f"{len(paths)} {plural(reason, len(paths))}: {names}"
            quiet = reason in ("hidden", "system file")
            found.append(Finding("left out", text, warning=not quiet))
        if followed:
            found.append(Finding("links", f"followed {listed(map(self._name, followed), most=3)}"))
        if by_content:
            names = listed(map(self._name, by_content), most=3)
            text = f"{len(by_content)} read as {self.kind.name} by content, not by suffix: {names}"
            found.append(Finding("suffixes", text, warning=True))
        return found

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self.root))


def of_folder(path: Path, kind: Kind, wanted: str) -> Scan:
    """Scan a folder; say how to unpack an archive."""
    if path.is_dir():
        return Scan(path, kind)
    advice = ""
    if path.name.lower().endswith(ARCHIVES):
        name = path.name.split(".")[0]
        module = "zipfile" if path.suffix.lower() == ".zip" else "tarfile"
        unpack = f"python -m {module} -e {shlex.quote(str(path))} {shlex.quote(name)}"
        advice = f" Unpack it with `{unpack}`, and use --data {shlex.quote(name)}."
    raise RecipeError(f"--data must be a folder with {wanted}. Received: the file {path}.{advice}")


def plural(words: str, count: int) -> str:
    """Return a noun, with what may follow " to ", in the plural where it is meant."""
    noun, to, rest = words.partition(" to ")
    plural = noun if count == 1 or noun in ("hidden", "unreadable") else f"{noun}s"
    return plural + to + rest


def suffixes(files: Iterable[Path]) -> str:
    """Return how many files there are of each suffix."""
    return counted(f.suffix.lower() or "without suffix" for f in files)


def count(path: Path, kind: Kind) -> int:
    """Return how many files of a kind there are, whether they can be read or not."""
    return len(Scan(path, kind).of_kind)


def _reason(entry: Path) -> str:
    """Return why a file or folder is left out, or nothing."""
    name = entry.name.lower()
    if name in SYSTEM or name.startswith("._") or name == ".ds_store":
        return "system file"
    if name.startswith("."):
        return "hidden"
    if name.endswith(UNFINISHED):
        return "unfinished or backup file"
    try:
        if not entry.exists():
            return "broken link"
        if entry.is_dir():
            return ""
        if not entry.is_file() or not os.access(entry, os.R_OK):
            return "unreadable"
        return "" if entry.stat().st_size else "empty file"
    except OSError:
        return "unreadable"


def _begins(file: Path, pattern: re.Pattern[bytes]) -> bool:
    try:
        with file.open("rb") as stream:
            return pattern.match(stream.read(16)) is not None
    except OSError:
        return False
