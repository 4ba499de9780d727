"""The problems of `benchmarks/which_loss.py`: data, network, losses and score of each branch.

All data ships with scikit-learn or is made by it. A seed chooses the split, the noise and, in
`which_loss.py`, the weights and the order of samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import keras
import numpy as np
from keras import layers, ops
from sklearn import datasets, metrics
from sklearn.model_selection import train_test_split

import kcatalog
from kcatalog import losses

CE = keras.losses.SparseCategoricalCrossentropy
Parts = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Contestant:
    """A loss, and what a model needs to be trained with it.

    Args:
        loss: returns the loss, None for no training: the inputs are scored.
        head: returns the last layer, None for the problem's own.
        decode: turns outputs into what the problem's score takes.
        class_weight: as for `fit`.
    """

    loss: Callable | None
    head: Callable | None = None
    decode: Callable = lambda outputs: outputs
    class_weight: dict | None = None


@dataclass(frozen=True)
class Problem:
    """A branch of the guide. The first loss is the plain one.

    Args:
        when: the reader's answer that leads here.
        about: data and network, for the page.
        measure: name of the score.
        data: seed -> training and test part.
        network: head -> model.
        losses: name -> contestant.
        score: (labels, outputs, training labels, their outputs) -> number.
        higher: whether greater scores are better.
        features: whether the outputs of the last layer but one are scored.
        classes_per_batch: for batches of 8 samples of each of so many classes.
    """

    when: str
    about: str
    measure: str
    data: Callable[[int], Parts]
    network: Callable
    losses: dict[str, Contestant]
    score: Callable
    epochs: int = 20
    higher: bool = True
    features: bool = False
    classes_per_batch: int | None = None
    head: Callable = field(default=lambda: layers.Dense(10))


# --- data --------------------------------------------------------------------------------


def split(x, y, seed, train, classes=True) -> Parts:
    """Return at most `train` samples to learn from, and the test part, 30 %."""
    of = y if classes else None
    x, x_test, y, y_test = train_test_split(x, y, test_size=0.3, stratify=of, random_state=seed)
    return [(x[:train], y[:train]), (x_test, y_test)]


def digits(seed, train=600):
    x, y = datasets.load_digits(return_X_y=True)
    return split((x / 16).astype("float32"), y, seed, train)


COUNTS = [100, 60, 36, 22, 13, 8, 5, 3, 2, 2]  # training samples of each digit


def rare_digits(seed):
    (x, y), test = digits(seed, 2000)
    chosen = np.concatenate([np.flatnonzero(y == c)[:n] for c, n in enumerate(COUNTS)])
    return [(x[chosen], y[chosen]), test]


def wrong_digits(seed):
    """Return digits with 40 % of the labels drawn at random, except in the test part."""
    random, ((x, y), test) = np.random.default_rng(seed), digits(seed)
    drawn = np.where(random.random(len(y)) < 0.4, random.integers(0, 10, len(y)), y)
    return [(x, drawn), test]


def diabetes():
    x, y = datasets.load_diabetes(return_X_y=True)
    return (x / x.std(axis=0)).astype("float32"), ((y - y.mean()) / y.std()).astype("float32")


def grades(seed):
    x, y = diabetes()
    return split(x, np.searchsorted(np.quantile(y, np.arange(1, 6) / 6), y), seed, 1000)


def targets(seed):
    return split(*diabetes(), seed, 1000, classes=False)


def outliers(seed):
    """Return targets of which one in ten is too high by 10 deviations, not in the test part."""
    random, ((x, y), test) = np.random.default_rng(seed), targets(seed)
    return [(x, (y + 10 * (random.random(len(y)) < 0.1)).astype("float32")), test]


def tumours(seed):
    x, y = datasets.load_breast_cancer(return_X_y=True)
    x, y = ((x - x.mean(axis=0)) / x.std(axis=0)).astype("float32"), y[:, None].astype("float32")
    return split(x, y, seed, 1000)


def labels(seed):
    x, y = datasets.make_multilabel_classification(
        2000, n_features=40, n_classes=20, n_labels=2, length=30, random_state=seed
    )
    return split((x / x.std(axis=0)).astype("float32"), y.astype("float32"), seed, 800, False)


def some_digits(seed):
    """Return digits at random places of an image: 0 to 6 to learn from, 7 to 9 for the test."""
    random, (x, y) = np.random.default_rng(seed), datasets.load_digits(return_X_y=True)
    x, known = placed(x / 16, 16, random)[..., None], y < 7
    train, _ = split(x[known], y[known], seed, 700)
    return [train, (x[~known], y[~known])]


def placed(x, edge, random):
    """Return images of 8 x 8 pixels at random places of larger ones."""
    canvas = np.zeros((len(x), edge, edge), "float32")
    places = random.integers(0, edge - 7, (len(x), 2))
    for image, (row, column), target in zip(x.reshape(-1, 8, 8), places, canvas, strict=True):
        target[row : row + 8, column : column + 8] = image
    return canvas


def views(x, random):
    """Return two views of each image: shifted by up to a pixel, brighter or darker, with noise."""
    shifted = np.empty((len(x), 2, 8, 8), "float32")
    for sample in range(len(x)):
        for view in range(2):
            places = random.integers(0, 3, 2)
            padded = np.pad(x[sample].reshape(8, 8), 1)
            shifted[sample, view] = padded[places[0] :, places[1] :][:8, :8]
    light = random.uniform(0.7, 1.3, (len(x), 2, 1, 1))
    return (shifted * light + random.normal(0, 0.1, shifted.shape)).astype("float32")


def viewed_digits(seed):
    random, ((x, y), test) = np.random.default_rng(seed), digits(seed, 2000)
    train = np.concatenate([views(x, random), views(x, random)]), np.concatenate([y, y])
    return [train, (np.stack([test[0], test[0]], axis=1).reshape(-1, 2, 8, 8), test[1])]


def halves(seed):
    """Return the left and the right half of each digit, padded to its size."""
    parts = []
    for x, _ in digits(seed, 2000):
        x = x.reshape(-1, 8, 8)
        right = np.concatenate([x[:, :, 4:], 0 * x[:, :, 4:]], axis=2)
        left = np.concatenate([x[:, :, :4], 0 * x[:, :, 4:]], axis=2)
        parts.append((np.stack([left, right], axis=1), np.arange(len(x))))
    return parts


def scenes(seed, boxes):
    """Return noisy digits at random places of 20 x 20 pixels."""
    random, parts = np.random.default_rng(seed), []
    for x, _ in digits(seed, 800):
        canvas = placed(x, 20, random)
        seen = canvas > 0.4
        if boxes:
            y = np.stack([_box(s) for s in seen]).astype("float32") / 20
        else:
            y = seen[..., None].astype("float32")
        noisy = canvas + random.normal(0, 0.4, canvas.shape)
        parts.append((noisy[..., None].astype("float32"), y))
    return parts


def _box(mask):
    """Return the center, the width and the height of what a mask shows."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    low, high = np.array([columns[0], rows[0]]), np.array([columns[-1], rows[-1]]) + 1
    return np.concatenate([(low + high) / 2, high - low])


def chains(seed):
    """Return sequences of 12 noisy digits that count up by one or two, or stay."""
    random, parts = np.random.default_rng(seed), []
    for (x, y), number in zip(digits(seed, 600), (300, 200), strict=True):
        steps = random.choice([0, 1, 2], p=[0.1, 0.6, 0.3], size=(number, 12))
        tags = np.cumsum(steps, axis=1) % 10
        chosen = [[random.choice(np.flatnonzero(y == tag)) for tag in row] for row in tags]
        noise = random.normal(0, 0.6, (number, 12, 64))
        parts.append(((x[np.array(chosen)] + noise).astype("float32"), tags))
    return parts


def lists(seed):
    """Return lists of ten patients, whose relevance is the grade of their disease from 0 to 4."""
    random, parts = np.random.default_rng(seed), []
    for (x, y), number in zip(targets(seed), (150, 100), strict=True):
        relevance = np.searchsorted([0.0, 0.5, 1.0, 1.5], y).astype("float32")
        chosen = random.integers(0, len(x), (number, 10))
        parts.append((x[chosen], relevance[chosen]))
    return parts


# --- networks ----------------------------------------------------------------------------


def dense(inputs, *units):
    def network(head):
        hidden = [layers.Dense(n, "relu") for n in units]
        return keras.Sequential([keras.Input(inputs), *hidden, head()])

    return network


def embedder(head):
    hidden = [
        layers.Conv2D(32, 5, strides=2, padding="same", activation="relu"),
        layers.Conv2D(64, 3, padding="same", activation="relu"),
        kcatalog.layers.GeneralizedMeanPooling2D(),
        layers.Dense(32),
        layers.UnitNormalization(),
    ]
    return keras.Sequential([keras.Input((16, 16, 1)), *hidden, head()])


def two_views(head):
    """Return features of both views, and their projection, which the loss compares."""
    hidden = [layers.Reshape((2, 64)), layers.Dense(128, "relu"), layers.Dense(64, "relu")]
    return keras.Sequential([keras.Input((2, 8, 8)), *hidden, head()])


def towers(head):
    """Return a model with a network for each half."""
    inputs = keras.Input((2, 8, 8))
    sides = [layers.Flatten()(inputs[:, side]) for side in (0, 1)]
    sides = [layers.Dense(32)(layers.Dense(128, "relu")(side)) for side in sides]
    return keras.Model(inputs, head()(ops.stack(sides, axis=1)))


def convolutions(flat):
    def network(head):
        hidden = [layers.Conv2D(16, 3, padding="same", activation="relu") for _ in range(2)]
        if flat:
            pooled = [layers.MaxPooling2D(), layers.Flatten(), layers.Dense(64, "relu")]
            hidden = [hidden[0], *pooled]
        return keras.Sequential([keras.Input((20, 20, 1)), *hidden, head()])

    return network


# --- scores ------------------------------------------------------------------------------


def accuracy(y, outputs, *_):
    return metrics.accuracy_score(y, np.argmax(outputs, axis=-1))


def balanced_accuracy(y, outputs, *_):
    return metrics.balanced_accuracy_score(y, np.argmax(outputs, axis=-1))


def signs(y, outputs, *_):
    return metrics.accuracy_score(y[:, 0], outputs[:, 0] > 0)


def grade_distance(y, outputs, *_):
    grade = outputs if outputs.ndim == 1 else np.argmax(outputs, axis=-1)
    return np.mean(np.abs(grade - y))


def label_ranking(y, outputs, *_):
    return metrics.average_precision_score(y, outputs, average="macro")


def map_at_r(y, outputs, *_):
    metric = kcatalog.metrics.MAPAtR(distance="cosine")
    return float(metric(y, outputs))


def nearest(y, outputs, known, features):
    """Return the share of samples whose nearest training sample, by one view, has their class."""
    known_features = features.reshape(len(features), 2, -1)[:, 0]
    near = metrics.pairwise.cosine_similarity(outputs[:, 0], known_features).argmax(axis=1)
    return metrics.accuracy_score(y, known[near])


def right_half(y, outputs, *_):
    left, right = outputs[:, 0], outputs[:, 1]
    near = metrics.pairwise.cosine_similarity(left, right).argmax(axis=1)
    return metrics.accuracy_score(np.arange(len(left)), near)


def mask_iou(y, outputs, *_):
    p, y = outputs[..., 0] > 0, y[..., 0] > 0
    both, any_ = (p & y).sum(axis=(1, 2)), (p | y).sum(axis=(1, 2))
    return np.mean(both / np.maximum(any_, 1))


def box_iou(y, outputs, *_):
    (y_low, y_high), (low, high) = (
        (b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2) for b in (y, outputs)
    )
    both = np.prod(np.maximum(np.minimum(y_high, high) - np.maximum(y_low, low), 0), axis=1)
    return np.mean(both / (np.prod(y[:, 2:], axis=1) + np.prod(outputs[:, 2:], axis=1) - both))


def tag_accuracy(y, outputs, *_):
    return np.mean(outputs == y)


def absolute_error(y, outputs, *_):
    return np.mean(np.abs(outputs[:, 0] - y))


def pinball(y, outputs, *_):
    return metrics.mean_pinball_loss(y, outputs[:, 0], alpha=0.9)


def list_gain(y, outputs, *_):
    return metrics.ndcg_score(2**y - 1, outputs, k=5)


# --- branches ----------------------------------------------------------------------------


def _logits(name, *args, **kwargs):
    """Return a loss of the catalog that is told that outputs are logits."""
    return Contestant(lambda: getattr(losses, name)(*args, from_logits=True, **kwargs))


def _keras(name, **kwargs):
    return Contestant(lambda: getattr(keras.losses, name)(**kwargs))


def _ours(name, *args, head=None, decode=lambda outputs: outputs, **kwargs):
    return Contestant(lambda: getattr(losses, name)(*args, **kwargs), head, decode)


def _prototypes():
    return kcatalog.layers.Prototypes(7)


PLAIN = Contestant(lambda: CE(from_logits=True))
SMOOTH = _logits("PolyCrossentropy", epsilon=0.0, label_smoothing=0.1)
FOCAL = _logits("SparseCategoricalFocalCrossentropy")
WEIGHTS = {c: sum(COUNTS) / (10 * n) for c, n in enumerate(COUNTS)}
COSINES = layers.Identity  # of embeddings, which pair losses take as they are
PIXELS = "the pixels and no training"

PROBLEMS = {
    "classes": Problem(
        "One class each, about as many samples of each class",
        "600 images of handwritten digits, two dense layers",
        "accuracy",
        digits,
        dense((64,), 64),
        {
            "SparseCategoricalCrossentropy": PLAIN,
            "the same with label smoothing 0.1": SMOOTH,
            "PolyCrossentropy": _logits("PolyCrossentropy"),
            "SparseCategoricalFocalCrossentropy": FOCAL,
            "CrammerSingerHinge": _ours("CrammerSingerHinge"),
            "Sparsemax": _ours("Sparsemax"),
        },
        accuracy,
    ),
    "rare": Problem(
        "Some classes are rare, and count as much as the others",
        f"digits with {', '.join(map(str, COUNTS[:-1]))} and {COUNTS[-1]} samples to train",
        "balanced accuracy",
        rare_digits,
        dense((64,), 64),
        {
            "SparseCategoricalCrossentropy": PLAIN,
            "the same with `class_weight`": Contestant(PLAIN.loss, class_weight=WEIGHTS),
            "SparseCategoricalFocalCrossentropy": FOCAL,
            "ClassBalancedCrossentropy": _logits("ClassBalancedCrossentropy", COUNTS),
            "LogitAdjustedCrossentropy": _logits("LogitAdjustedCrossentropy", COUNTS),
            "LDAM": _logits("LDAM", COUNTS, scale=1.0),
        },
        balanced_accuracy,
        epochs=40,
    ),
    "wrong": Problem(
        "Some labels are wrong",
        "digits of which four labels in ten are drawn at random in training",
        "accuracy",
        wrong_digits,
        dense((64,), 64),
        {
            "SparseCategoricalCrossentropy": PLAIN,
            "the same with label smoothing 0.1": SMOOTH,
            "BiTemperedCrossentropy": _logits("BiTemperedCrossentropy"),
            "SymmetricCrossentropy": _logits("SymmetricCrossentropy"),
            "SparseCategoricalFocalCrossentropy": FOCAL,
        },
        accuracy,
        epochs=40,
    ),
    "ordered": Problem(
        "The classes have an order, and a miss by one is better than by five",
        "six grades of diabetes from ten measurements, two dense layers",
        "mean distance in grades",
        grades,
        dense((10,), 32),
        {
            "SparseCategoricalCrossentropy": PLAIN,
            "MeanSquaredError of the grade": Contestant(
                keras.losses.MeanSquaredError,
                lambda: layers.Dense(1),
                lambda outputs: np.clip(np.rint(outputs[:, 0]), 0, 5),
            ),
            "CORN": _ours(
                "CORN",
                head=lambda: layers.Dense(5),
                decode=lambda outputs: np.asarray(kcatalog.ops.corn_ranks(outputs)),
            ),
            "WeightedKappa": _logits("WeightedKappa"),
        },
        grade_distance,
        higher=False,
        head=lambda: layers.Dense(6),
    ),
    "two": Problem(
        "Two classes, one score",
        "benign and malignant tumours from 30 measurements, a linear model",
        "accuracy",
        tumours,
        dense((30,)),
        {
            "BinaryCrossentropy": _keras("BinaryCrossentropy", from_logits=True),
            "Hinge": _keras("Hinge"),
            "SmoothedHinge": _ours("SmoothedHinge"),
            "ModifiedHuber": _ours("ModifiedHuber"),
            "Ramp": _ours("Ramp"),
        },
        signs,
        head=lambda: layers.Dense(1),
    ),
    "labels": Problem(
        "Several labels for one sample",
        "20 labels, two of them on average, from scikit-learn's `make_multilabel_classification`",
        "mean average precision",
        labels,
        dense((40,), 64),
        {
            "BinaryCrossentropy": _keras("BinaryCrossentropy", from_logits=True),
            "BinaryFocalCrossentropy": _keras("BinaryFocalCrossentropy", from_logits=True),
            "AsymmetricCrossentropy": _logits("AsymmetricCrossentropy"),
        },
        label_ranking,
        head=lambda: layers.Dense(20),
    ),
    "unseen": Problem(
        "Find samples of a class that training did not have (metric learning)",
        "digits somewhere on 16 x 16 pixels, 0 to 6 to train, 7 to 9 to search among; two "
        "convolutions, batches of 8 samples of each class",
        "MAP@R",
        some_digits,
        embedder,
        {
            "SparseCategoricalCrossentropy": Contestant(PLAIN.loss, lambda: layers.Dense(7)),
            "InBatchContrastive": _ours("InBatchContrastive", head=COSINES),
            "TripletSemiHard": _ours("TripletSemiHard", head=COSINES),
            "TripletHard": _ours("TripletHard", head=COSINES),
            "TripletAll": _ours("TripletAll", head=COSINES),
            "MultiSimilarity": _ours("MultiSimilarity", head=COSINES),
            "SupervisedContrastive": _ours("SupervisedContrastive", head=COSINES),
            "ProxyAnchor": _ours("ProxyAnchor", head=_prototypes),
            "ArcFace": _ours("ArcFace", head=_prototypes),
            PIXELS: Contestant(None, decode=lambda x: x.reshape(len(x), -1)),
        },
        map_at_r,
        epochs=5,
        features=True,
        classes_per_batch=7,
    ),
    "views": Problem(
        "No labels: two views of each sample (self-supervision)",
        "digits shifted, dimmed and with noise; scored by the network's features",
        "accuracy of the nearest neighbour",
        viewed_digits,
        two_views,
        {
            "MultipleNegativesRanking": _ours("MultipleNegativesRanking", temperature=0.2),
            "SigLIP": _ours("SigLIP"),
            "BarlowTwins": _ours("BarlowTwins"),
            "VICReg": _ours("VICReg"),
            PIXELS: Contestant(None, decode=lambda x: x.reshape(len(x), 2, 64)),
        },
        nearest,
        epochs=8,
        features=True,
        head=lambda: layers.Dense(32),
    ),
    "pairs": Problem(
        "Pairs of two kinds that belong together (a text and its picture)",
        "the left half of a digit has to find its right half, a network for each side",
        "share found first",
        halves,
        towers,
        {
            "MeanSquaredError": Contestant(
                lambda: lambda _, p: ops.mean((p[:, 0] - p[:, 1]) ** 2, axis=-1)
            ),
            "MultipleNegativesRanking": _ours("MultipleNegativesRanking", symmetric=True),
            "SigLIP": _ours("SigLIP"),
        },
        right_half,
        head=layers.Identity,
    ),
    "masks": Problem(
        "A mask for each image (segmentation)",
        "the strokes of a digit on 20 x 20 pixels of noise, three convolutions",
        "mean IoU of the strokes",
        lambda seed: scenes(seed, boxes=False),
        convolutions(flat=False),
        {
            "BinaryCrossentropy": _keras("BinaryCrossentropy", from_logits=True),
            "BinaryFocalCrossentropy": _keras("BinaryFocalCrossentropy", from_logits=True),
            "Jaccard": _logits("Jaccard"),
            "GeneralizedDice": _logits("GeneralizedDice"),
            "FocalTversky": _logits("FocalTversky"),
            "LovaszHinge": _ours("LovaszHinge"),
        },
        mask_iou,
        epochs=10,
        head=lambda: layers.Conv2D(1, 3, padding="same"),
    ),
    "boxes": Problem(
        "A box around an object",
        "the digit on 20 x 20 pixels of noise, a convolution and two dense layers",
        "mean IoU",
        lambda seed: scenes(seed, boxes=True),
        convolutions(flat=True),
        {
            "MeanSquaredError": _keras("MeanSquaredError"),
            "MeanAbsoluteError": _keras("MeanAbsoluteError"),
            "GIoU": _ours("GIoU", "center_xywh"),
            "DIoU": _ours("DIoU", "center_xywh"),
            "CIoU": _ours("CIoU", "center_xywh"),
        },
        box_iou,
        epochs=15,
        head=lambda: layers.Dense(4, "sigmoid"),
    ),
    "tags": Problem(
        "A tag for each step of a sequence, and neighbouring tags depend on each other",
        "rows of 12 noisy digits that mostly count up by one, one dense network for each step",
        "accuracy of a tag",
        chains,
        dense((12, 64), 64),
        {
            "SparseCategoricalCrossentropy": Contestant(
                PLAIN.loss, decode=lambda outputs: outputs.argmax(axis=-1)
            ),
            "CRFCrossentropy": _ours(
                "CRFCrossentropy",
                head=lambda: kcatalog.layers.CRF(10),
                decode=lambda outputs: outputs.argmax(axis=-1),
            ),
        },
        tag_accuracy,
        epochs=15,
    ),
    "number": Problem(
        "A number, and all targets are right",
        "progress of diabetes from ten measurements, two dense layers, in deviations",
        "mean absolute error",
        targets,
        dense((10,), 32),
        NUMBERS := {
            "MeanSquaredError": _keras("MeanSquaredError"),
            "MeanAbsoluteError": _keras("MeanAbsoluteError"),
            "Huber": _keras("Huber"),
            "LogCosh": _keras("LogCosh"),
        },
        absolute_error,
        higher=False,
        head=lambda: layers.Dense(1),
    ),
    "outliers": Problem(
        "A number, and some targets are far off",
        "the same, with one target in ten too high by ten deviations, except in the test",
        "mean absolute error",
        outliers,
        dense((10,), 32),
        NUMBERS,
        absolute_error,
        higher=False,
        head=lambda: layers.Dense(1),
    ),
    "quantile": Problem(
        "A number that the target exceeds once in ten times (a quantile)",
        "the same data without outliers",
        "pinball loss at quantile 0.9",
        targets,
        dense((10,), 32),
        {
            "MeanSquaredError": _keras("MeanSquaredError"),
            "Pinball(0.9)": _ours("Pinball", 0.9),
        },
        pinball,
        higher=False,
        head=lambda: layers.Dense(1),
    ),
    "lists": Problem(
        "The order of a list (search, recommendation)",
        "lists of ten patients, ordered by the grade of their diabetes",
        "NDCG@5",
        lists,
        dense((10, 10), 32),
        {
            "MeanSquaredError of the grade": _keras("MeanSquaredError"),
            "RankingSoftmax": _ours("RankingSoftmax"),
        },
        list_gain,
        head=lambda: keras.Sequential([layers.Dense(1), layers.Reshape((10,))]),
    ),
}
