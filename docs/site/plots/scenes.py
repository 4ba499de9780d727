"""What moves in the plot of a loss: a score, an angle, a box, the masks of an image.

A function stands for each kind of prediction; `scene` finds the one of a part's example.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from keras import ops

from kcatalog.registry import Entry

SCORES = np.linspace(-6, 6, 121)
ANGLES = np.linspace(0, 180, 121)


@dataclass
class Scene:
    """Something that moves.

    moved: its words, as the subject of "moves".
    axis: what the horizontal axis measures.
    x: the places it is drawn at.
    lines: label -> targets of a batch, and a function from places `(n,)` to the predictions of
        as many batches, `(n, batch, ...)`.
    marks: place -> what stands there.
    """

    moved: str
    axis: str
    x: np.ndarray
    lines: dict[str, tuple[np.ndarray, Callable]]
    marks: dict[float, str] = field(default_factory=dict)


def scene(entry: Entry) -> Scene:
    """Return what moves for a loss, by the targets and predictions of its example."""
    example, name = entry.card.example, entry.name
    if name in _OF_NAME:
        return _OF_NAME[name](entry)
    if example.predictions == "cosines":
        return class_angle(entry)
    if example.targets == "boxes":
        return box(entry)
    if "embeddings" in entry.card.tags and len(example.shape) == 1:
        return sample_on_circle(entry)
    if "in-batch" in entry.card.tags and example.shape[0] == 2:
        return pair_on_circle(entry)
    if len(example.shape) == 3:
        return masks(entry)
    if example.targets == "real":
        return output(entry)
    return two_classes(entry) if example.targets == "binary" else class_score(entry)


def _moving(base, place):
    """Return a function from `t` to predictions: `base`, and `t` times 1 at an index of it."""
    step = np.zeros_like(base, dtype="float32")
    step[place] = 1
    base, step = base[None].astype("float32"), step[None]

    def predictions(t):
        return base + ops.reshape(t, (-1, *[1] * (base.ndim - 1))) * step

    return predictions


# --- scores -----------------------------------------------------------------------------


def class_score(entry: Entry) -> Scene:
    """Change the score of the right class, among others of 0."""
    example = entry.card.example
    *steps, classes = example.shape
    zeros, counts = np.zeros((1, *steps, classes)), example.args.get("counts")
    shown = {f"a class of {counts[c]} samples": c for c in (0, -1)} if counts else {"": 0}
    lines = {
        label: (
            np.full((1, *(example.target_shape or ())), c % classes),
            _moving(zeros, (..., c)),
        )
        for label, c in shown.items()
    }
    moved = "the score of the right class moves; the other scores are 0"
    scaled = any(a.name == "scale" for a in entry.arguments)  # by about 30
    return Scene(moved, "score of the right class", SCORES / (6 if scaled else 1), lines)


def two_classes(entry: Entry) -> Scene:
    """Change the score of a sample of one class or the other."""
    lines = {f"label {y}": (np.array([[y]]), _moving(np.zeros((1, 1)), ...)) for y in (1, 0)}
    return Scene("the score of a sample moves", "score", SCORES / 2, lines)


def views(entry: Entry) -> Scene:
    """Change the score of the right class in one of three views."""
    zeros = np.zeros((1, *entry.card.example.shape))
    lines = {
        "of the clean view": (np.array([0]), _moving(zeros, (0, 0, 0))),
        "of another view": (np.array([0]), _moving(zeros, (0, 1, 0))),
    }
    moved = "the score of the right class moves in one of three views; all other scores are 0"
    return Scene(moved, "score of the right class", SCORES, lines)


def ranked_list(entry: Entry) -> Scene:
    """Change the score of an item of a list."""
    zeros, relevance = np.zeros((1, 5)), np.eye(5)[:1]
    lines = {
        "of the relevant item": (relevance, _moving(zeros, (0, 0))),
        "of another item": (relevance, _moving(zeros, (0, 1))),
    }
    moved = "the score of one of five items moves, of which one is relevant; the others' are 0"
    return Scene(moved, "score of the item", SCORES, lines)


def two_scores(entry: Entry) -> Scene:
    """Change the difference of two scores."""
    move = _moving(np.zeros((1, 2)), (0, 0))
    lines = {"first is better": (np.array([1]), move), "second is better": (np.array([-1]), move)}
    moved = "the first of two scores moves; the second is 0"
    return Scene(moved, "first score minus second", SCORES / 2, lines)


def output(entry: Entry) -> Scene:
    """Change the error of one output."""
    zeros = np.zeros((1, *entry.card.example.shape))
    lines = {"": (zeros, _moving(zeros, (0,) * zeros.ndim))}
    moved = "one of its outputs moves; the others are right"
    return Scene(moved, "prediction minus target", SCORES / 2, lines)


def error(entry: Entry) -> Scene:
    """Change the error of one output."""
    tau = entry.card.example.args["tau"]
    zeros = np.zeros((1, len(tau)))
    lines = {f"τ = {q}": (zeros, _moving(zeros, (0, i))) for i, q in enumerate(tau)}
    moved = "one of its outputs moves; the other two are right"
    return Scene(moved, "prediction minus target", SCORES / 2, lines)


def tags(entry: Entry) -> Scene:
    """Change the scores of a tag at a step and of a transition between two."""
    steps, n = entry.card.example.target_shape[0], entry.card.example.shape[-1]
    zeros = np.zeros((1, steps + n + 2, n))
    y_true = np.zeros((1, steps), "int32")
    lines = {
        "of the right tag at one step": (y_true, _moving(zeros, (0, 1, 0))),
        "of the right transition": (y_true, _moving(zeros, (0, steps, 0))),
    }
    moved = (
        f"one score moves; all others are 0, and the right tags are {steps} times the first of {n}"
    )
    return Scene(moved, "score", SCORES, lines)


def ordinal(entry: Entry) -> Scene:
    """Change the place of a sample on an ordinal scale."""
    ranks = entry.card.example.classes

    def predictions(u):
        k = np.arange(ranks - 1, dtype="float32")
        return 4 * (u[:, None, None] - k - 0.5)

    lines = {f"rank {y} is right": (np.array([y]), predictions) for y in (0, 2, ranks - 1)}
    moved = "a sample moves along the scale of ranks: its logit `k` is 4 (place - k - ½)"
    return Scene(moved, "place on the scale of ranks", np.linspace(-0.5, ranks - 0.5, 101), lines)


def grades(entry: Entry) -> Scene:
    """Move probability of a sample's prediction to a wrong grade."""
    classes = entry.card.example.shape[-1]
    right = np.eye(classes, dtype="float32")

    def towards(wrong):
        step = np.zeros_like(right)
        step[0, 0], step[0, wrong] = -1, 1
        return lambda t: right + t[:, None, None] * step

    names = {"to the next class": 1, "to the last class": classes - 1}
    lines = {label: (np.arange(classes), towards(c)) for label, c in names.items()}
    moved = f"the first of {classes} samples, one of each class, goes wrong; the others are right"
    return Scene(moved, "probability moved", np.linspace(0.02, 1, 99), lines)


# --- angles and distances ---------------------------------------------------------------


def class_angle(entry: Entry) -> Scene:
    """Change the angle between an embedding and the vector of its class."""
    zeros = np.zeros((1, *entry.card.example.shape))
    move = _moving(zeros, (0,) * zeros.ndim)
    lines = {"": (np.array([0]), lambda t: move(ops.cos(t * np.pi / 180)))}
    moved = "the angle to the vector of the right class moves; the others are at 90°"
    return Scene(moved, "angle to the right class, degrees", ANGLES, lines)


def class_distance(entry: Entry) -> Scene:
    """Change the distance between an embedding and the centre of its class."""
    zeros = np.zeros((1, *entry.card.example.shape))
    move = _moving(zeros, (0, 0))
    lines = {"": (np.array([0]), lambda t: move(-t * t))}
    moved = "the distance to the centre of the right class moves"
    return Scene(moved, "distance to the centre", np.linspace(0, 3, 61), lines)


def _on_circle(degrees):
    """Return points of the unit circle, the angles on a new last axis."""
    radians = degrees * (np.pi / 180)
    return ops.stack([ops.cos(radians), ops.sin(radians)], axis=-1)


def _among(fixed, place=0):
    """Return a function from angles `t` to embeddings, of which that at `place` is at `t`."""
    fixed = np.asarray(fixed, "float32")
    shape, places = fixed.shape, np.arange(fixed.size) == place

    def predictions(t):
        angles = ops.where(places, t[:, None], fixed.reshape(-1)[None])
        return _on_circle(ops.reshape(angles, (-1, *shape)))

    return predictions


AROUND = np.linspace(-60, 240, 151)


def sample_on_circle(entry: Entry) -> Scene:
    """Move a sample of a batch round a circle, past its own class and two others."""
    lines = {"": (np.array([0, 0, 1, 1, 2, 2]), _among([0, 0, 85, 95, 175, 185]))}
    moved = (
        "a sample goes round the unit circle; one of its own class is at 0°, two of another class "
        "at about 90° and two of a third at about 180°"
    )
    marks = {0: "own class", 90: "another", 180: "a third"}
    return Scene(moved, "angle of the sample, degrees", AROUND, lines, marks)


def pair_on_circle(entry: Entry) -> Scene:
    """Move a sample of a batch of pairs round a circle, past its counterpart and others'."""
    targets = entry.card.example.targets
    y_true = {"labels": np.arange(4), "binary": np.eye(4), "real": np.zeros((4, 2, 2))}[targets]
    lines = {"": (y_true, _among([[0, 0], [90, 90], [180, 180], [270, 270]]))}
    moved = (
        "one of a pair goes round the unit circle; its counterpart is at 0°, and other pairs are "
        "at 90°, 180° and 270°"
    )
    marks = {0: "counterpart", 90: "a pair", 180: "a pair"}
    return Scene(moved, "angle of the sample, degrees", AROUND, lines, marks)


def given_pair(entry: Entry) -> Scene:
    """Change the angle of a pair that is the same or different."""
    move = _among([[0, 0]])
    lines = {"the same": (np.array([1]), move), "different": (np.array([0]), move)}
    moved = "one of a pair of vectors of length 1 turns away from the other"
    return Scene(moved, "angle between the two, degrees", ANGLES, lines)


def given_triplet(entry: Entry) -> Scene:
    """Change the angle of the positive or the negative of a triplet."""
    lines = {
        "the negative moves": (np.zeros((1, 3, 2)), _among([[0, 60, 0]], 2)),
        "the positive moves": (np.zeros((1, 3, 2)), _among([[0, 0, 60]], 1)),
    }
    moved = "one sample of a triplet turns away from the anchor; the other one is at 60° from it"
    return Scene(moved, "angle to the anchor, degrees", ANGLES, lines, {60: ""})


def two_views(entry: Entry) -> Scene:
    """Change the angle between a prediction and its target."""
    names = {"the first moves": 0, "the second moves": 1}
    lines = {name: (np.zeros((1, 2, 2)), _among([[0, 0]], i)) for name, i in names.items()}
    moved = "one of two views turns away from the other"
    return Scene(moved, "angle between the two, degrees", ANGLES, lines)


# --- boxes and masks --------------------------------------------------------------------


def box(entry: Entry) -> Scene:
    """Change the place of a box beside its target."""
    target = np.array([[0, 0, 1, 1]], "float32")
    other = np.array([[-0.5, 0.25, 2, 0.5]], "float32")
    lines = {
        "as the target": (target, _moving(target, (0, 0))),
        "wide and low": (target, _moving(other, (0, 0))),
    }
    moved = (
        "a box moves sideways past its target: one of equal size, or one twice as wide and half "
        "as high"
    )
    return Scene(moved, "shift, in widths of the target", np.linspace(-3, 3, 121), lines)


def masks(entry: Entry) -> Scene:
    """Change the scores of an object's pixels, or of the background's."""
    side, binary = 8, entry.card.example.targets == "binary"
    truth = np.zeros((1, side, side), "int32")
    truth[0, 2:4, 2:5] = 1
    share = f"{truth.mean():.0%} of the pixels".replace("%", " %")
    lines = {}
    for label, there in (("in the object", truth == 1), ("in the background", truth == 0)):
        right = (2.0 * truth - 1)[..., None] if binary else np.eye(2)[truth] * 2 - 1
        base = np.where(there[..., None], 0, 4 * right).astype("float32")
        step = np.where(there[..., None], right, 0).astype("float32")
        if binary:
            base, step = base[..., 0], step[..., 0]

        def predictions(t, base=base, step=step):
            return base[None] + ops.reshape(t, (-1, *[1] * base.ndim)) * step[None]

        lines[label] = (truth, predictions)
    moved = (
        f"the scores in the object, {share}, or in the background move from wrong to right; "
        "elsewhere they are right"
    )
    return Scene(moved, "score of the right side", SCORES, lines)


_OF_NAME = {
    "Center": class_distance,
    "Contrastive": given_pair,
    "CORN": ordinal,
    "CRFCrossentropy": tags,
    "JensenShannonConsistency": views,
    "LovaszHinge": masks,
    "MarginRanking": two_scores,
    "NegativeCosine": two_views,
    "Pinball": error,
    "RankingSoftmax": ranked_list,
    "TripletMargin": given_triplet,
    "WeightedKappa": grades,
}
