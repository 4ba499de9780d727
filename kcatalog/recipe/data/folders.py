"""Folders of classes and parts: the layouts that people and other tools make."""

from __future__ import annotations

import collections
import re
import shlex
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kcatalog.recipe.data import scan
from kcatalog.recipe.data.base import Arrays, split
from kcatalog.recipe.data.files import MOST_NAMED
from kcatalog.recipe.data.findings import PARTS, Finding, listed
from kcatalog.recipe.terminal.errors import RecipeError

_PART = {
    "train": re.compile(r"(^|[^a-z])(train|training)([^a-z]|$)"),
    "validation": re.compile(r"(^|[^a-z])(val|valid|validation|dev)([^a-z]|$)"),
    "test": re.compile(r"(^|[^a-z])(test|testing)([^a-z]|$)"),
}
_VERSION = re.compile(r"(v|ver|version|fold|split)[ _.-]*\d[\d.]*")

# A single folder of such a name in a part holds files without labels
_UNLABELLED = {"test", "test1", "unknown", "unlabeled", "unlabelled", "images", "data", "all"}
VERBS = {"validation": "validate", "test": "test"}

Below = dict[Path, tuple[str, ...]]  # files, and where they are below a folder


@dataclass(frozen=True, eq=False)
class Folder:
    """Files with their labels, and what was found beside them.

    files, labels: the files and the class index of each, or an array of them.
    classes: the name of each class.
    parts: the part that the user put each file into; None without a split of the user's own.
    findings: what was left out, and how the folder was understood.
    """

    files: list[Path]
    labels: np.ndarray
    classes: tuple[str, ...]
    parts: np.ndarray | None = None
    findings: tuple[Finding, ...] = ()

    def split(self, x, seed: int, validation: float = 0.1) -> dict[str, Arrays]:
        """Return the parts of samples, one a file: those that the user made, others drawn."""
        return split(x, self.labels, seed, validation=validation, given=self.parts)


class Place(NamedTuple):
    """A file's part ("" without a split), its class, and the folders below that."""

    part: str
    name: str
    inside: tuple[str, ...] = ()


Places = dict[Path, Place]


def by_class(path: Path, kind: scan.Kind) -> Folder:
    """Find the files of a folder with one subfolder per class, or of training, validation and
    test folders with one subfolder per class each."""
    wanted = f"one subfolder per class with {' '.join(kind.suffixes)} files in it"
    found = scan.of_folder(path, kind, wanted)
    below = {f: f.relative_to(path).parts for f in found.files + found.unread}
    below, prefix = _unwrapped(below, found.of_kind)
    _check_versions(path.joinpath(*prefix), below)
    places = _places(path, below, found.of_kind)
    classes = tuple(sorted({place.name for place in places.values()}))
    outside = [f for f in found.files if f not in places]
    lost = sorted(f for f in found.of_kind if f not in places)
    if len(classes) < 2:
        advice = " ".join(filter(None, (_sorting(lost), found.kind.advice(path, lost))))
        raise RecipeError(
            f"--data must be a folder with {wanted}, two classes at least. Received: {path} with "
            f"{len(classes)} {scan.plural('subfolder', len(classes))} of files"
            f"{': ' if classes else ''}{listed(classes)}. {advice}".rstrip()
        )
    parts = {place.part for place in places.values()} - {""}
    notes = list(found.findings)
    if prefix:
        notes.append(Finding("folder", f"the classes are read from {'/'.join(prefix)}"))
    if outside:
        names = listed((f.relative_to(path) for f in outside), most=3)
        text = f"{len(outside)} {kind.name} outside of the class folders: {names}"
        notes.append(Finding("left out", text, warning=True))
    if parts:
        notes += _given_parts(path, places, parts, found)
    _check_classes(path, places, parts, found)
    _check_names(path, classes)
    notes += [*_alike(classes), *_nested(places)]
    files = sorted((f for f in found.files if f in places), key=lambda f: (places[f].name, f))
    index = {name: label for label, name in enumerate(classes)}
    labels = np.array([index[places[f].name] for f in files], "int32")
    given = np.array([places[f].part for f in files]) if parts else None
    return Folder(files, labels, classes, given, tuple(notes))


def _unwrapped(below: Below, of_kind: set[Path]) -> tuple[Below, tuple[str, ...]]:
    """Descend as long as one folder holds all files of the kind that are in folders, and it holds
    folders."""
    inside = {f: parts for f, parts in below.items() if len(parts) > 1 and f in of_kind}
    names = {parts[0] for parts in inside.values()}
    if len(names) != 1 or all(len(parts) == 2 for parts in inside.values()):
        return below, ()
    (name,) = names
    entered = {f: p[1:] for f, p in below.items() if len(p) > 1 and p[0] == name}
    deeper, prefix = _unwrapped(entered, of_kind)
    return deeper, (name, *prefix)


def _places(path: Path, below: Below, of_kind: set[Path]) -> Places:
    """Return where each file belongs that is in a class folder."""
    first = {parts[0] for parts in below.values() if len(parts) > 1}
    named = parts_of(first)
    if named and any(len(p) > 2 for p in below.values() if p[0] in named["train"]):
        return _placed_by_part(path, below, named, of_kind)  # train/cat/1.png
    if named and first == {name for names in named.values() for name in names}:
        return {}  # parts without classes
    second = {parts[1] for parts in below.values() if len(parts) > 2}
    named = parts_of(second)
    part_of = {name: part for part, names in named.items() for name in names}
    if second and second == part_of.keys():  # cat/train/1.png
        return {f: Place(part_of[p[1]], p[0], p[2:-1]) for f, p in below.items() if len(p) > 2}
    return {f: Place("", p[0], p[1:-1]) for f, p in below.items() if len(p) > 1}


def _placed_by_part(
    path: Path, below: Below, named: dict[str, list[str]], of_kind: set[Path]
) -> Places:
    places: Places = {}
    for part, names in named.items():
        if len(names) > 1:
            raise RecipeError(
                f"{path} must have one folder for the {part} part. Received: {listed(names)}. "
                "Move their files into one, or remove the others."
            )
        inside = {f: p[1:] for f, p in below.items() if p[0] == names[0] and len(p) > 1}
        inside, _ = _unwrapped(inside, of_kind)
        within = {f: Place(part, p[0], p[1:-1]) for f, p in inside.items() if len(p) > 1}
        if {place.name.lower() for place in within.values()} - _UNLABELLED:
            places |= within
    return places


def parts_of(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the folders that are named after a part, by part; none unless there are a training
    part and another one."""
    found: dict[str, list[str]] = collections.defaultdict(list)
    for name in sorted(names):
        matches = [part for part, pattern in _PART.items() if pattern.search(name.lower())]
        if len(matches) == 1:
            found[matches[0]].append(name)
    return dict(found) if "train" in found and len(found) > 1 else {}


def _check_versions(folder: Path, below: Below) -> None:
    """Refuse several versions of the same data."""
    inside = collections.defaultdict(set)
    for parts in below.values():
        if len(parts) > 1:
            inside[parts[0]].add(parts[1] if len(parts) > 2 else "")
    versions = sorted(name for name in inside if _VERSION.fullmatch(name.lower()))
    if len(versions) < 2 or any("" in inside[name] for name in versions):
        return
    if set.intersection(*(inside[name] for name in versions)):
        raise RecipeError(
            f"{folder} must be one set of data. Received: {listed(versions)}, which hold the same "
            f"folders. Use one of them: --data {shlex.quote(str(folder / versions[-1]))}"
        )


def _given_parts(path: Path, places: Places, parts: set[str], found: scan.Scan) -> list[Finding]:
    """Refuse classes that are not trained; report the split and classes that a part lacks."""
    trained = {place.name for place in places.values() if place.part == "train"}
    notes = [given_parts(parts)]
    for part in sorted(parts - {"train"}):
        names = {place.name for place in places.values() if place.part == part}
        if unknown := sorted(names - trained):
            raise RecipeError(
                f"{path}: each class of the {part} part must be in the training part. Received: "
                f"{listed(unknown)}, and {listed(sorted(trained))} to train. Rename or remove the "
                "folders."
            )
        filled = {places[f].name for f in found.files if f in places and places[f].part == part}
        if lacking := sorted(trained - filled):
            text = f"the {part} part has no file of {listed(lacking)}"
            notes.append(Finding("split", text, warning=True))
    return notes


def given_parts(parts: Iterable[str]) -> Finding:
    """Report that the user's own split is kept, and which parts are drawn."""
    text = f"as the folders are: {', '.join(part for part in PARTS if part in parts)}"
    if drawn := [part for part in PARTS if part not in parts]:
        text += f"; {' and '.join(drawn)} drawn from train"
    return Finding("split", text)


def _check_classes(path: Path, places: Places, parts: set[str], found: scan.Scan) -> None:
    """Refuse classes with too few files to train, and to draw the parts that are missing."""
    files = dict.fromkeys((place.name for place in places.values()), 0)
    unread = collections.defaultdict(list)
    for file in found.files:
        if file in places and places[file].part in ("", "train"):
            files[places[file].name] += 1
    for file in found.unread:
        if file in places:
            unread[places[file].name].append(file)
    uses = ["train", *(verb for part, verb in VERBS.items() if part not in parts)]
    each = f"one each to {', '.join(uses[:-1])} and {uses[-1]}" if len(uses) > 1 else "to train"
    errors, noun = [], scan.plural("file", len(uses))
    for name in sorted(name for name, number in files.items() if number < len(uses)):
        others = unread[name]
        spoilt = [f for f in found.spoilt if name in f.relative_to(path).parts]
        beside = f", and {scan.suffixes(others)}, not read as {found.kind.name}" if others else ""
        beside += f", and {len(spoilt)} empty or unreadable" if spoilt else ""
        advice = found.kind.advice(path, others) or "Add files or remove the folder."
        errors.append(
            f"Class {name!r} in {path} must have at least {len(uses)} {noun} "
            f"({' '.join(found.kind.suffixes)}): {each}. Received: {files[name]}{beside}. {advice}"
        )
    if errors:
        more = [f"and {len(errors) - MOST_NAMED} more"] if len(errors) > MOST_NAMED else []
        raise RecipeError("\n".join([*errors[:MOST_NAMED], *more]))


def _check_names(path: Path, classes: tuple[str, ...]) -> None:
    """Refuse names of classes that cannot be written anywhere else."""
    wrong = [repr(name) for name in classes if not name.isprintable()]
    if wrong:
        raise RecipeError(
            f"{path}: names of class folders must be printable text in UTF-8. Received: "
            f"{listed(wrong)}. Rename {'it' if len(wrong) == 1 else 'them'}."
        )


def _sorting(files: list[Path]) -> str:
    """Return how to sort files that stand in one folder into class folders."""
    if not files:
        return ""
    by_folder = collections.defaultdict(list)
    for file in files:
        by_folder[file.parent].append(file)
    names = {f: {re.split("[ ._0-9-]", each.name)[0] for each in by_folder[f]} for f in by_folder}
    sure = [f for f in names if "" not in names[f] and 2 <= len(names[f]) <= len(by_folder[f]) / 3]
    folder = (sure or list(names))[0]
    number = len(by_folder[folder])
    noun = scan.plural("file", number)
    text = f"{number} {noun} in {folder}: move those of a class to a subfolder."
    if not sure:
        return text
    return (
        f"{text} Where names begin with the class ({listed(sorted(names[folder]), most=3)}): "
        f"cd {shlex.quote(str(folder))} && for f in *.*; do "
        'mkdir -p "${f%%[ ._0-9-]*}" && mv "$f" "${f%%[ ._0-9-]*}"; done'
    )


def _alike(classes: tuple[str, ...]) -> Iterator[Finding]:
    """Report classes whose names differ by case or spaces alone."""
    same = collections.defaultdict(list)
    for name in classes:
        same[unicodedata.normalize("NFKC", "".join(name.split())).casefold()].append(repr(name))
    for names in same.values():
        if len(names) > 1:
            text = f"{' and '.join(names)} differ by case or spaces only; they are two classes"
            yield Finding("classes", text, warning=True)


def _nested(places: Places) -> Iterator[Finding]:
    """Report subfolders of classes, whose files belong to the class."""
    folders = {f"{p.name}/{p.inside[0]}" for p in places.values() if p.inside}
    if folders:
        direct = any(not p.inside for p in places.values())
        text = f"belong to the class above: {listed(sorted(folders), most=4)}"
        yield Finding("subfolders", text, warning=not direct)
