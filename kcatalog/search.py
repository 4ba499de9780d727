"""Finds parts by words: what people call a part, here and in other libraries.

Case, hyphens and underscores do not count, nor do spaces: "NT-Xent" finds `NTXent`, "one cycle"
finds `OneCycle`, and "TripletHardLoss", its name in TensorFlow Addons, finds `TripletHard`.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections import defaultdict
from pathlib import Path

from kcatalog.entry import Entry

_TABLES = Path(__file__).parent / "migrate" / "tables"  # read as data: migrate imports the registry
# A word that people search for -> words that the catalog uses.
SYNONYMS = {
    "annealing": "decay",
    "byol": "negative cosine",
    "ece": "calibration error",
    "ema": "moving average",
    "mining": "hard",
    "moco": "cross batch memory",
    "online": "inbatch",
    "ranger": "lookahead",
    "swa": "weight averaging",
    "tagging": "crf",
}
SHORT = 3  # letters; a word as short as this must begin a word of the part


def matches(entry: Entry, text: str) -> bool:
    """Return whether all words of a text, or their synonyms, belong to a part."""
    known, wanted = words(entry), _plain(text).split()
    whole = "".join(wanted)
    if len(whole) > SHORT and whole in known.replace(" ", ""):
        return True
    return all(_has(known, w) or (w in SYNONYMS and _all(known, SYNONYMS[w])) for w in wanted)


def words(entry: Entry) -> str:
    """Return what a part is found by: its names, summary, equation, paper and tags."""
    paper, old = str(entry.card.paper or ""), " ".join(_old_names()[entry.path])
    texts = (entry.path, entry.name, entry.summary, entry.equation, paper, *entry.card.tags, old)
    return _plain(" ".join(texts))


def _all(known: str, text: str) -> bool:
    return all(_has(known, word) for word in text.split())


def _has(known: str, word: str) -> bool:
    return f" {word}" in f" {known}" if len(word) <= SHORT else word in known


def _plain(text: str) -> str:
    """Return words of lower-case letters and digits, `Semi-hard` as `semihard`."""
    pieces = re.split(r"[\s.,;:/()]+", text.lower())
    return " ".join(filter(None, (re.sub(r"[\W_]+", "", piece) for piece in pieces)))


@functools.cache
def _old_names() -> defaultdict[str, list[str]]:
    """Return the names that other libraries have for each part, by the part's full path."""
    found = defaultdict(list)
    for file in sorted(_TABLES.glob("*.toml")):
        for name, row in tomllib.loads(file.read_text(encoding="utf-8")).items():
            for to in {row.get("to"), row.get("otherwise", {}).get("to")}:
                found[to].append(name.rpartition(".")[2])
    return found
