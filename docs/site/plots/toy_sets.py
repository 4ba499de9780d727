"""Plot of a metric: its value on a toy set whose predictions get worse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from keras import ops

from docs.site.plots.arguments import code, make
from docs.site.plots.figure import LINES, PALE, figure
from kcatalog.conformance import backend
from kcatalog.registry import Entry

SHARES = np.linspace(0, 1, 13)
NOISE = np.linspace(0, 1, 11)
DEVIATION = "standard deviation of the noise"
THRESHOLDS = np.linspace(0.02, 0.98, 25)


@dataclass
class Toy:
    """A toy set and what is done to its predictions.

    words: of the caption, what changes.
    axis: what the horizontal axis measures, its levels being `x`.
    lines: label -> a function from a level to arguments, targets and predictions.
    beside: label -> values of another measure.
    read: from the results of a line to the lines that are drawn, label -> values.
    """

    words: str
    axis: str
    x: np.ndarray
    lines: dict[str, Callable]
    beside: dict[str, np.ndarray] = field(default_factory=dict)
    read: Callable = lambda label, results: {label: results}
    scale: dict = field(default_factory=dict)


def metric(entry: Entry) -> bytes:
    """Draw the value over how wrong the predictions are."""
    toy = _toy(entry)
    shown = {k: v for k, v in next(iter(toy.lines.values()))(toy.x[0])[0].items() if k in _IN_CODE}
    with figure(caption=f"The value of {code(entry, **shown)} {toy.words}.") as ((axes,), out):
        for label, line in toy.lines.items():
            results = np.array([_result(entry, *line(level)) for level in toy.x])
            for each, values in toy.read(label, results).items():
                axes.plot(toy.x, values, f".{LINES[len(axes.lines)]}", label=each)
        for label, values in toy.beside.items():
            axes.plot(toy.x, values, "--", color=PALE, label=label)
        axes.set(**{"xlabel": toy.axis, "ylabel": entry.name, **toy.scale})
        if len(axes.lines) > 1:
            axes.legend(fontsize=8)
    return out.getvalue()


_IN_CODE = ("mask_token_id", "from_logits")


def _result(entry, arguments, y_true, y_pred):
    part = make(entry, **arguments)
    part.update_state(y_true, ops.convert_to_tensor(y_pred, "float32"))
    return backend.as_numpy(part.result())


def _toy(entry: Entry) -> Toy:
    example = entry.card.example
    if entry.name in _OF_NAME:
        return _OF_NAME[entry.name](entry)
    if example.predictions == "tokens":
        return sentences(entry)
    if "embeddings" in entry.card.tags:
        return neighbours(entry)
    if "capacity" in {a.name for a in entry.arguments}:
        return ranks(entry)
    return errors(entry) if example.targets == "real" else classes(entry)


def classes(entry: Entry) -> Toy:
    """Draw a growing share of predicted classes at random."""
    rng, n = np.random.default_rng(0), 600
    labels = rng.choice(4, n, p=[0.7, 0.15, 0.1, 0.05])
    wrong, place = rng.integers(0, 4, n), rng.permutation(n) / n
    predicted = [np.where(place < share, wrong, labels) for share in SHARES]
    given = dict(zip(SHARES, predicted, strict=True))

    def line(**arguments):
        more = {"num_classes": 4, **arguments}
        return lambda share: (more, labels, np.eye(4)[given[share]])

    weighted = "weights" in {a.name for a in entry.arguments}
    lines = {"unweighted" if weighted else entry.name: line()}
    if weighted:
        lines["quadratic"] = line(weights="quadratic")
    words = "and the accuracy while a growing share of predictions is drawn at random; 70 % of "
    words += "the samples are of the first of four classes"
    accuracy = np.array([(p == labels).mean() for p in predicted])
    return Toy(words, "share of random predictions", SHARES, lines, {"accuracy": accuracy})


def calibration(entry: Entry) -> Toy:
    """Multiply the logits of calibrated predictions."""
    rng = np.random.default_rng(0)
    z = 1.5 * rng.normal(size=(2000, 4))
    labels = (_softmax(z).cumsum(axis=-1) < rng.uniform(size=(2000, 1))).sum(axis=-1).clip(0, 3)
    powers = np.linspace(-2.4, 2.4, 25)
    words = "while the logits of calibrated predictions are multiplied: by less than 1 they become "
    words += "too timid, by more too confident"
    lines = {"": lambda power: ({}, labels, _softmax(2**power * z))}
    return Toy(words, "the logits are multiplied by 2 to the power of", powers, lines)


def _softmax(z):
    p = np.exp(z - z.max(axis=-1, keepdims=True))
    return p / p.sum(axis=-1, keepdims=True)


def _labels_and_scores():
    """Return labels, of which 30 % are 1, and scores from 0 to 1 that tell them partly."""
    rng = np.random.default_rng(0)
    y = (rng.uniform(size=(400, 4)) < 0.3).astype("float32")
    return y, 1 / (1 + np.exp(-1.5 * (2 * y - 1) - rng.normal(size=y.shape)))


def thresholds(entry: Entry) -> Toy:
    """Move the threshold between scores that count as 0 and as 1."""
    y, p = _labels_and_scores()
    lines = {"": lambda threshold: ({"threshold": float(threshold)}, y, p)}
    words = (
        "while its `threshold` moves; 30 % of the labels are 1, and the scores tell most of them"
    )
    return Toy(words, "threshold", THRESHOLDS, lines)


def counts(entry: Entry) -> Toy:
    """Move the threshold, and read the four counts of the first label."""
    toy = thresholds(entry)
    y, p = _labels_and_scores()
    more = {"num_classes": y.shape[-1]}
    toy.lines = {"": lambda threshold: ({**more, "threshold": float(threshold)}, y, p)}
    names = {"true negatives": (0, 0), "false positives": (0, 1)}
    names |= {"false negatives": (1, 0), "true positives": (1, 1)}
    toy.read = lambda _, found: {name: found[:, 0, i, j] for name, (i, j) in names.items()}
    toy.scale = {"ylabel": "samples"}
    toy.words = "for the first of four labels " + toy.words
    return toy


def _embeddings():
    """Return labels, and a function from noise to embeddings."""
    rng, labels = np.random.default_rng(0), np.repeat(np.arange(8), 20)
    noise = rng.normal(size=(len(labels), 8))
    return labels, lambda level: np.eye(8)[labels] + level * noise


def neighbours(entry: Entry) -> Toy:
    """Let classes of embeddings run into each other."""
    labels, embeddings = _embeddings()

    def line(**arguments):
        return lambda level: ({"capacity": len(labels), **arguments}, labels, embeddings(level))

    takes_k = "k" in {a.name for a in entry.arguments}
    lines = {f"k = {k}": line(k=k) for k in (1, 5, 15)} if takes_k else {"": line()}
    words = "while embeddings of 8 classes, 20 samples each, get more noise; centres have length 1"
    return Toy(words, DEVIATION, NOISE, lines)


def distances(entry: Entry) -> Toy:
    """Let classes of embeddings run into each other, and read each kind of pairs."""
    labels, embeddings = _embeddings()
    lines = {
        f"pairs={kind!r}": lambda level, kind=kind: ({"pairs": kind}, labels, embeddings(level))
        for kind in ("positive", "negative", "gap")
    }
    toy = neighbours(entry)
    return Toy(toy.words, toy.axis, NOISE, lines)


def errors(entry: Entry) -> Toy:
    """Add noise to predictions that are their targets."""
    rng = np.random.default_rng(0)
    y, noise = rng.normal(size=(2, 200, *entry.card.example.shape))
    lines = {entry.name: lambda level: ({}, y, y + level * noise)}
    return Toy("while noise is added to right predictions", DEVIATION, NOISE, lines)


def ranks(entry: Entry) -> Toy:
    """Add noise to predictions that are a curved function of their targets."""
    rng, n = np.random.default_rng(0), 200
    (y, noise), x = rng.normal(size=(2, n, 1)), 2 * NOISE
    given = {level: np.exp(2 * (y + level * noise)) for level in x}
    pearson = np.array([np.corrcoef(y[:, 0], p[:, 0])[0, 1] for p in given.values()])
    words = "and Pearson's correlation for predictions of exp(2 (target + noise)), which without "
    words += "noise have the targets' order and not their size"
    lines = {entry.name: lambda level: ({"capacity": n}, y, given[level])}
    return Toy(words, DEVIATION, x, lines, {"Pearson": pearson})


def lists(entry: Entry) -> Toy:
    """Add noise to the scores of graded items."""
    rng = np.random.default_rng(0)
    y = rng.choice(4, (200, 12), p=[0.6, 0.2, 0.1, 0.1])
    noise = rng.normal(size=y.shape)

    def line(k):
        return lambda level: ({"k": k}, y, y + level * noise)

    lines = {f"k = {k}": line(k) for k in (1, 5, None)}
    words = "while noise is added to the scores of 200 lists of 12 items with grades from 0 to 3"
    return Toy(words, f"{DEVIATION}, in grades", 4 * NOISE, lines)


def words_of_model(entry: Entry) -> Toy:
    """Change the probability of the right token."""
    vocabulary, n = 20, 40

    def line(sure):
        def at(p):
            rest = (1 - p) / (vocabulary - 1)
            row, right = np.full(vocabulary, rest), np.eye(vocabulary)[0]
            row[0] = p
            return {"from_logits": False}, np.zeros((1, n)), [[right] * sure + [row] * (n - sure)]

        return at

    lines = {"all tokens": line(0), "half of them, the others certain": line(n // 2)}
    words = (
        f"over the probability of the right one of {vocabulary} tokens; the others share the rest"
    )
    p = np.linspace(1, 1 / vocabulary, 25)
    return Toy(words, "probability of the right token", p, lines, scale={"xlim": (1, 0)})


def sentences(entry: Entry) -> Toy:
    """Replace, leave out or swap tokens of a growing share."""
    rng, length = np.random.default_rng(0), 12
    y = rng.integers(1, 60, (100, length))
    others, place = rng.integers(60, 99, y.shape), rng.permutation(y.size).reshape(y.shape) / y.size

    def replaced(share):
        return np.where(place < share, others, y)

    def left_out(share):
        kept = np.where(place < share, 0, y)
        return np.take_along_axis(kept, np.argsort(kept == 0, axis=1, kind="stable"), axis=1)

    def swapped(share):
        pairs = y.reshape(-1, 2)
        flip = place.reshape(-1, 2)[:, :1] < share
        return np.where(flip, pairs[:, ::-1], pairs).reshape(y.shape)

    changes = {"replaced": replaced, "left out": left_out, "swapped with the next": swapped}
    lines = {
        label: lambda share, change=change: ({"mask_token_id": 0}, y, change(share))
        for label, change in changes.items()
    }
    words = (
        "while a growing share of the tokens of 100 sentences of 12 is replaced by others, left "
    )
    words += "out, or swapped with its neighbour"
    return Toy(words, "share of the tokens", SHARES[::2], lines)


_OF_NAME = {
    "EmbeddingDistance": distances,
    "ExpectedCalibrationError": calibration,
    "Hamming": thresholds,
    "MultiLabelConfusionMatrix": counts,
    "Perplexity": words_of_model,
    "RankingNDCG": lists,
}
