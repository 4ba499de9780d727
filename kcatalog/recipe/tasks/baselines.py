"""Baselines: plain models on the same split, none of them a neural network."""

from __future__ import annotations

import collections
import math
import warnings
from collections.abc import Callable

import numpy as np

from kcatalog.recipe import tasks
from kcatalog.recipe.data import Data
from kcatalog.recipe.data.base import need
from kcatalog.recipe.data.files import draw
from kcatalog.recipe.tasks.features import MOST_SAMPLES, PIECE, features, known, pieces, scaled
from kcatalog.recipe.tasks.forecast import last_season, percentage_error
from kcatalog.recipe.tasks.segmentation import confusion, mean_iou
from kcatalog.recipe.tasks.tagging import tokens_of

Baseline = tuple[str, float]  # what it is, and its score on the test part


def support_vectors(data: Data) -> Baseline:
    """Accuracy of a support-vector machine with Gaussian kernel on plain pixels or frames."""
    svm = need("sklearn.svm", "scikit-learn").SVC(C=10)
    return _score("RBF support-vector machine", svm, data)


def nearest_neighbour(data: Data) -> Baseline:
    """Accuracy of giving each test sample the label of the most similar training sample."""
    neighbours = need("sklearn.neighbors", "scikit-learn").KNeighborsClassifier(1)
    return _score("nearest neighbour", neighbours, data)


def logistic_regression(data: Data) -> Baseline:
    """Accuracy of the linear model."""
    linear_model = need("sklearn.linear_model", "scikit-learn")
    converged = need("sklearn.exceptions", "scikit-learn").ConvergenceWarning
    with warnings.catch_warnings():  # nearly converged is good enough for a baseline
        warnings.simplefilter("ignore", converged)
        return _score("logistic regression", linear_model.LogisticRegression(max_iter=500), data)


def gradient_boosting(data: Data) -> Baseline:
    """Score gradient-boosted trees, one ensemble for each column of labels.

    Numbers get regression trees, and classes or labels get classification trees.
    """

    task, ensemble = tasks.of(data), need("sklearn.ensemble", "scikit-learn")
    (x, y), test = known(data), features(data.test[0])
    x = features(x)
    numbers, outputs = np.issubdtype(y.dtype, np.floating) and not task.activation, []
    for column in y.reshape(len(y), -1).T:
        if numbers:
            model = ensemble.HistGradientBoostingRegressor(random_state=0).fit(x, column)
            outputs.append(model.predict(test)[:, None])
        else:
            outputs.append(_class_logits(ensemble, x, column.astype(int), test, task, data))
    return "gradient boosting", task.score(data.test[1], np.concatenate(outputs, axis=1))


def best(*baselines: Callable[[Data], Baseline]) -> Callable[[Data], Baseline]:
    """Return the baseline that scores best of several on the test part; it names the others'."""

    def baseline(data: Data) -> Baseline:

        sign = 1 if tasks.of(data).better == "lower" else -1
        scored = sorted((each(data) for each in baselines), key=lambda found: sign * found[1])
        (name, score), *others = scored
        return "; ".join([name, *(f"{other} {value:.4f}" for other, value in others)]), score

    return baseline


def _class_logits(ensemble, x, y, test, task, data: Data) -> np.ndarray:
    """Return the logits, as the task takes them, of trees that predict a column of labels."""
    width = max(1, task.output_shape(data)[-1] // (data.train[1][0].size))
    p = np.zeros((len(test), max(2, width)))
    seen = np.unique(y)
    if len(seen) > 1:
        model = ensemble.HistGradientBoostingClassifier(random_state=0).fit(x, y)
        p[:, model.classes_] = model.predict_proba(test)
    else:  # nothing to learn
        p[:, seen] = 1
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return np.log(p) if width > 1 else np.log(p[:, 1:]) - np.log(p[:, :1])


def linear_regression(data: Data) -> Baseline:
    """Score the linear model of numbers, with a small penalty (`tasks.Regression`)."""

    model = need("sklearn.linear_model", "scikit-learn").Ridge(1.0, solver="svd")
    scaler = need("sklearn.preprocessing", "scikit-learn").StandardScaler()
    (x, y), test = known(data), features(data.test[0])
    model.fit(scaler.fit_transform(features(x)), y.reshape(len(y), -1))
    outputs = model.predict(scaler.transform(test)).reshape(len(test), -1)
    return "linear regression", tasks.of(data).score(data.test[1], outputs)


def n_gram(data: Data, context: int = 4) -> Baseline:
    """Bits per character of counting what followed the last `context` characters.

    Where a context was seen rarely, its counts are mixed with those of shorter contexts
    (Witten and Bell 1991): `p_n(c) = (count(h, c) + T(h) p_{n-1}(c)) / (count(h) + T(h))`, where
    `T(h)` is the number of different characters seen after the context `h`.
    """
    learned = _text(data.train) + _text(data.validation)
    followers = collections.defaultdict(collections.Counter)
    for n in range(context + 1):
        for i in range(n, len(learned)):
            followers[learned[i - n : i]][learned[i]] += 1
    totals = {h: sum(counts.values()) for h, counts in followers.items()}

    test, bits = _text(data.test), 0.0
    for i in range(1, len(test)):
        p = 1 / len(data.classes)
        for n in range(min(context, i) + 1):
            h = test[i - n : i]
            if h not in totals:
                break
            T = len(followers[h])
            p = (followers[h][test[i]] + T * p) / (totals[h] + T)
        bits -= math.log2(p)
    return f"{context + 1}-gram model, Witten-Bell", bits / (len(test) - 1)


def character_classifiers(data: Data) -> Baseline:
    """Score one linear classifier for each place of the target, on the source's n-grams.

    The nearest source's target would never be right: no target is in two splits.
    """

    vectorizer = need("sklearn.feature_extraction.text", "scikit-learn").CountVectorizer
    linear = need("sklearn.naive_bayes", "scikit-learn").ComplementNB
    x, y = known(data)
    steps, size = data.details.steps, len(data.classes)
    texts = [
        ["".join(map(chr, row[row > 0])) for row in part[:, :steps]] for part in (x, data.test[0])
    ]
    grams = vectorizer(analyzer="char", ngram_range=(1, 4), min_df=2)
    learned, asked = grams.fit_transform(texts[0]), grams.transform(texts[1])
    places = [linear().fit(learned, column).predict(asked) for column in y.T]
    outputs = np.eye(size)[np.stack(places, axis=-1)]
    return "a classifier for each character", tasks.of(data).score(data.test[1], outputs)


def ridge(data: Data) -> Baseline:
    """Mean absolute percentage error of linear forecasts from the same history.

    They forecast what a recipe's model does, differences to the season before, from those in
    the history; the penalty is the one that does best on the validation part.
    """
    regression = need("sklearn.linear_model", "scikit-learn").Ridge
    season = data.details.season
    scale = float(np.std(data.train[1] - last_season(data, data.train[0]))) or 1.0

    def fit(penalty, *parts):
        x, y = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        model = regression(penalty, solver="svd")
        return model.fit(differences(x), (y - last_season(data, x)) / scale)

    def error(model, part):
        x, y = part
        forecast = last_season(data, x) + scale * model.predict(differences(x))
        return percentage_error(y, np.repeat(forecast[..., None], 3, axis=-1))

    def differences(x):
        return (x[:, season:] - x[:, :-season]) / scale

    penalties = [0.1, 1.0, 10.0, 100.0, 1000.0]
    best = min(penalties, key=lambda p: error(fit(p, data.train), data.validation))
    return "ridge regression", error(fit(best, data.train, data.validation), data.test)


def pixel_classifier(data: Data) -> Baseline:
    """Score the mean IoU of classifying each pixel by the colours of the 5 x 5 pixels around it."""
    model = need("sklearn.ensemble", "scikit-learn").HistGradientBoostingClassifier(random_state=0)
    rng, per_image = np.random.default_rng(0), 100

    def patches(x):
        x = np.pad(np.asarray(x), ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(x, (5, 5), axis=(1, 2))
        return windows.reshape(*windows.shape[:3], -1)

    x, y = data.train
    learned, labels = [], []
    for image in draw(len(y), MOST_SAMPLES // 10):
        places = rng.integers(y[image].size, size=per_image)
        learned.append(patches(x[image : image + 1]).reshape(y[image].size, -1)[places])
        labels.append(np.ravel(y[image])[places])
    model.fit(np.concatenate(learned), np.concatenate(labels))
    counts = np.zeros((len(data.classes),) * 2)
    for piece in pieces(data.test[0], PIECE // 20):
        rows = patches(data.test[0][piece])
        predicted = model.predict(rows.reshape(-1, rows.shape[-1]))
        counts += confusion(data.test[1][piece], predicted, len(counts))
    return "gradient boosting on 5 x 5 pixels", mean_iou(counts)


def tag_windows(data: Data) -> Baseline:
    """Span F1 of a logistic regression that tags each token by it and the two on either side."""

    extraction = need("sklearn.feature_extraction", "scikit-learn")
    hasher = extraction.FeatureHasher(n_features=2**18, input_type="string")
    linear_model = need("sklearn.linear_model", "scikit-learn")
    model = linear_model.SGDClassifier(loss="log_loss", alpha=1e-6, random_state=0)

    def windows(part):
        for sentence in tokens_of(part[0]):
            around = ["", "", *sentence, "", ""]
            for t in range(len(sentence)):
                window = [f"{i} {token}" for i, token in enumerate(around[t : t + 5])]
                token = sentence[t]
                yield [*window, f"< {token[:3]}", f"> {token[-3:]}"]

    real = data.train[0][..., 0] > 0
    model.fit(hasher.transform(windows(data.train)), data.train[1][real])
    real = data.test[0][..., 0] > 0
    outputs = np.zeros((*real.shape, len(data.classes)), "float32")
    outputs[real] = np.eye(len(data.classes))[model.predict(hasher.transform(windows(data.test)))]
    name = "logistic regression on windows of 5 tokens"
    return name, tasks.of(data).score(data.test[1], outputs)


def word_frequencies(data: Data) -> Baseline:
    """Accuracy of a logistic regression on the TF-IDF of words and of pairs of words."""
    model = need("sklearn.linear_model", "scikit-learn").LogisticRegression(C=10, max_iter=500)
    vectorizer = need("sklearn.feature_extraction.text", "scikit-learn").TfidfVectorizer
    how = {"tokenizer": str.split, "token_pattern": None, "ngram_range": (1, 2), "min_df": 2}
    tfidf = vectorizer(**how, sublinear_tf=True)
    x, y = known(data)
    learned, asked = ([" ".join(t) for t in tokens_of(part)] for part in (x, data.test[0]))
    model.fit(tfidf.fit_transform(learned), y)
    right = model.predict(tfidf.transform(asked)) == data.test[1]
    return "logistic regression on TF-IDF", float(np.mean(right))


def _score(name: str, model, data: Data) -> Baseline:
    """Fit on training and validation samples, as these models stop at no validation score."""
    scaler, x, y = scaled(data)
    model.fit(x, y)
    if len(data.train[1]) + len(data.validation[1]) > len(y):
        name = f"{name} on {len(y)} training samples"
    x, y = data.test
    right = [model.predict(scaler.transform(features(x[p]))) == y[p] for p in pieces(x)]
    return name, float(np.mean(np.concatenate(right)))


def _text(part) -> str:
    """Return the labels of successive windows as characters: slices of a string are fast keys."""
    return "".join(map(chr, np.ravel(part[1])))
