"""Losses

The loss says what a network is to aim at. Which number, which probability or which arrangement of
points is best differs from loss to loss, and so does what a sample that is already right still
does.
"""

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.svm import SVC

from docs.site.plots.figure import figure
from docs.theory.statement import tested_by
from kcatalog import losses
from kcatalog.conformance import backend
from kcatalog.conformance.backend import as_numpy


@tested_by(
    "test_networks.py", "test_squared_error_aims_at_the_mean_and_absolute_error_at_the_median"
)
def squared_error_aims_at_the_mean():
    """Squared error aims at the mean, absolute error at the median

    Of one number for the values 1, 2, 3, 4 and 40, the squared error is least at {squared:.2f},
    their mean, and the absolute error at {absolute:.2f}, their median. So one outlier draws a
    regression by squared error to itself.
    """
    targets = np.array([1, 2, 3, 4, 40.0], "float32")[:, None]
    guesses = np.linspace(0, 20, 401, dtype="float32")
    found = {}
    for name, loss in (("squared", "mean_squared_error"), ("absolute", "mean_absolute_error")):
        function = keras.losses.get(loss)
        values = [as_numpy(function(targets, np.full_like(targets, g))).mean() for g in guesses]
        found[name] = np.array(values)
    with figure() as ((axes,), out):
        for name, values in found.items():
            axes.plot(guesses, values / values.min(), label=f"{name} error")
        axes.set_xlabel("guess")
        axes.set_ylabel("loss, of its minimum")
        axes.set_ylim(0.9, 4)
        axes.legend()
    return {name: guesses[values.argmin()] for name, values in found.items()}, out.getvalue()


@tested_by("test_networks.py", "test_cross_entropy_is_least_at_the_true_probabilities")
def cross_entropy_is_least_at_the_true_probabilities():
    """Cross-entropy measures how far probabilities are from the true ones

    Where a class is right in 7 of 10 cases, the mean cross-entropy is least at a predicted
    probability of {best:.2f}. There it is {entropy:.3f}, the entropy of the classes themselves, and
    what comes on top elsewhere is the Kullback-Leibler divergence.
    """
    y = np.array([1] * 7 + [0] * 3, "float32")[:, None]
    p = np.linspace(0.02, 0.98, 97, dtype="float32")
    loss = keras.losses.BinaryCrossentropy()
    values = np.array([float(as_numpy(loss(y, np.full_like(y, q)))) for q in p])
    entropy = -0.7 * np.log(0.7) - 0.3 * np.log(0.3)
    with figure() as ((axes,), out):
        axes.plot(p, values, label="cross-entropy")
        axes.axhline(entropy, color="gray", lw=0.8, label="entropy")
        axes.set_xlabel("predicted probability")
        axes.legend()
    return {"best": p[values.argmin()], "entropy": values.min()}, out.getvalue()


@tested_by(
    "test_gradients.py", "test_squared_error_through_a_sigmoid_saturates_and_cross_entropy_does_not"
)
def cross_entropy_does_not_saturate():
    """Through a sigmoid, squared error saturates and cross-entropy does not

    The gradient of cross-entropy for a score is `p - y`: the further off, the larger, up to 1.
    Squared error multiplies by the sigmoid's slope, which is nearly 0 where the network is sure. At
    a score of -8 for a sample that is positive, the gradients are {entropy:.3f} and {squared:.1e}.
    """
    z = np.linspace(-8, 8, 161, dtype="float32")
    target = np.ones((1, 1), "float32")
    squared, entropy = keras.losses.MeanSquaredError(), keras.losses.BinaryCrossentropy(True)
    functions = {
        "entropy": lambda v: entropy(target, v),
        "squared": lambda v: squared(target, keras.ops.sigmoid(v)),
    }
    slopes = {
        name: np.array([backend.value_and_gradients(f, [v.reshape(1, 1)])[1][0][0, 0] for v in z])
        for name, f in functions.items()
    }
    with figure() as ((axes,), out):
        axes.plot(z, slopes["entropy"], label="cross-entropy")
        axes.plot(z, slopes["squared"], label="squared error")
        axes.set_xlabel("score of a positive sample")
        axes.set_ylabel("gradient for the score")
        axes.legend()
    return {name: slope[0] for name, slope in slopes.items()}, out.getvalue()


@tested_by("test_gradients.py", "test_hinge_ignores_what_is_beyond_its_margin")
def hinge_ignores_what_is_beyond_its_margin():
    """Hinge loss leaves alone what is beyond its margin

    A support vector machine fits a line to two clouds by minimizing the hinge loss. Of {samples}
    samples {others} have no gradient: they are right by more than the margin. Without them
    a new fit ends within {angle:.2f} degrees of the same line, so the {support} support vectors
    decide alone.
    """
    rng = np.random.default_rng(0)
    y = np.repeat([1.0, -1.0], 60).astype("float32")
    x = (rng.normal(size=(120, 2)) + 1.2 * y[:, None]).astype("float32")
    machine = SVC(kernel="linear").fit(x, y)
    support = np.isin(np.arange(120), machine.support_)
    again = SVC(kernel="linear").fit(x[support], y[support])
    scores = machine.decision_function(x).astype("float32")[:, None]
    hinge = keras.losses.Hinge(reduction="sum")
    _, (gradient,) = backend.value_and_gradients(lambda s: hinge(y[:, None], s), [scores])
    (w,), (b,) = machine.coef_, machine.intercept_
    cosine = again.coef_[0] @ w / np.linalg.norm(again.coef_) / np.linalg.norm(w)
    with figure() as ((axes,), out):
        for side, marker in ((1, "o"), (-1, "s")):
            axes.scatter(*x[(y == side) & ~support].T, alpha=0.3, marker=marker, color="gray")
            axes.scatter(*x[(y == side) & support].T, marker=marker)
        ends = np.array([-4.0, 4.0])
        for level, style in ((-1, ":"), (0, "-"), (1, ":")):
            axes.plot(ends, (level - b - w[0] * ends) / w[1], style, color="gray", lw=1)
        axes.set_ylim(-5, 5)
    numbers = {"samples": len(x), "support": int(support.sum())}
    others = int((gradient[~support] == 0).sum())
    angle = np.degrees(np.arccos(min(cosine, 1.0)))
    return {**numbers, "others": others, "angle": angle}, out.getvalue()


@tested_by("test_networks.py", "test_triplet_loss_brings_a_class_together")
def triplet_loss_brings_a_class_together():
    """Triplet loss brings a class together and others apart

    It asks that an anchor be nearer to a sample of its class than to one of another, by a margin. A
    linear map of digits to the plane is trained with `TripletSemiHard`. The mean distance within a
    class is {before:.2f} of that between classes before, and {after:.2f} after, on digits that were
    not trained on.
    """
    x, y = load_digits(n_class=5, return_X_y=True)
    x, y = (x / 16).astype("float32"), y.astype("int32")
    model = keras.Sequential(
        [keras.Input((64,)), keras.layers.Dense(2), keras.layers.UnitNormalization()]
    )
    model.compile(keras.optimizers.Adam(0.01), losses.TripletSemiHard(0.5), jit_compile=False)
    test = x[600:], y[600:]

    def shown():
        return model.predict(test[0], verbose=0, batch_size=512)

    before = shown()
    model.fit(x[:600], y[:600], batch_size=100, epochs=30, verbose=0)
    after = shown()
    with figure(2) as (both, out):
        for axes, points, title in ((both[0], before, "before"), (both[1], after, "after")):
            axes.scatter(*points.T, c=test[1], cmap="tab10", s=12)
            axes.set_aspect("equal")
            axes.set_title(title)
    return {"before": _spread(before, test[1]), "after": _spread(after, test[1])}, out.getvalue()


def _spread(points, labels):
    """Return the mean distance within classes, of that between classes."""
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    same = labels[:, None] == labels
    return distance[same].mean() / distance[~same].mean()
