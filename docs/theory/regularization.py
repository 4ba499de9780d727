"""Overfitting and what helps against it

A network with many weights can learn its training samples by heart. Regularization makes that hard,
so that what is left to learn is what the samples have in common.
"""

import functools

import keras
import numpy as np
from sklearn.datasets import load_digits

from docs.site.plots.figure import figure
from docs.theory.statement import tested_by
from kcatalog.conformance import backend
from kcatalog.conformance.backend import as_numpy


@functools.cache
def digits():
    """Return images of digits and their labels, shuffled."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    return (x[order] / 16).astype("float32"), y[order].astype("int32")


def trained(layers, samples, epochs, rate=1e-3):
    """Return the history of a network trained on the first samples, tested on the last 797.

    An epoch has ten batches of 100, so that of fewer than 1,000 samples each comes several times.
    """
    keras.utils.set_random_seed(1)
    x, y = digits()
    model = keras.Sequential([keras.Input((64,)), *layers(), keras.layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"], jit_compile=False)
    seen = np.tile(np.arange(samples), 1000 // samples)
    others = {"validation_data": (x[1000:], y[1000:]), "validation_batch_size": 797}
    return model.fit(x[seen], y[seen], 100, epochs, verbose=0, **others).history


def dense():
    return [keras.layers.Dense(256, "relu"), keras.layers.Dense(256, "relu")]


@tested_by("test_networks.py", "test_few_samples_are_learned_by_heart")
def few_samples_are_learned_by_heart():
    """With few samples, a network learns them by heart

    A network of 85,000 weights gets at least {right:.1%} of its training samples right. How many of
    797 other digits it gets right depends on how many it saw: {few:.0%} after 20 samples,
    {many:.0%} after 1,000. The difference to 100 % is the overfitting.
    """
    sizes = (20, 50, 200, 1000)
    ends = [trained(dense, n, 20) for n in sizes]
    train, test = ([h[name][-1] for h in ends] for name in ("accuracy", "val_accuracy"))
    with figure() as ((axes,), out):
        axes.semilogx(sizes, train, "o-", label="on the training samples")
        axes.semilogx(sizes, test, "o-", label="on other digits")
        axes.set_xlabel("training samples")
        axes.set_ylabel("accuracy")
        axes.legend()
    return {"few": test[0], "many": test[-1], "right": min(train)}, out.getvalue()


@functools.cache
def sparse_problem():
    """Return 40 samples whose target depends on 3 of 30 inputs, with noise."""
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(40, 30)), np.zeros(30)
    w[:3] = 2.0, -1.5, 1.0
    return x, w, x @ w + 0.5 * rng.normal(size=40)


def fitted(penalty, steps=400, rate=0.2):
    """Return the weights that minimize the mean squared error and a penalty, by descent."""
    x, _, t = sparse_problem()
    w = np.zeros(30)
    for _ in range(steps):
        slope = x.T @ (x @ w - t) / len(x)
        if penalty:
            _, (extra,) = backend.value_and_gradients(penalty, [w.astype("float32")])
            slope = slope + extra
        w = w - rate * slope
        rate *= 0.99  # at a fixed rate, what should be 0 would go to and fro
    return w


@tested_by("test_regularization.py", "test_l1_sets_small_weights_to_zero_and_shifts_the_rest")
def l1_selects_and_l2_shrinks():
    """L1 makes weights zero, L2 makes them small

    A line through 40 samples of 30 inputs, of which three matter. Without a penalty {none} of the
    27 useless weights are above 0.02; with L2 {l2}, though smaller; with L1 {l1}. The error of all
    weights is {none_error:.2f}, {l2_error:.2f} and {l1_error:.2f}. The price is that L1 and L2
    shrink the useful weights as well.
    """
    _, w, _ = sparse_problem()
    found = {
        "none": fitted(None),
        "l2": fitted(keras.regularizers.L2(0.1)),
        "l1": fitted(keras.regularizers.L1(0.1)),
    }
    with figure(3, sharey=True) as (all_axes, out):
        titles = ("no penalty", "L2", "L1")
        for axes, title, values in zip(all_axes, titles, found.values(), strict=True):
            axes.stem(values, basefmt=" ", markerfmt=".")
            axes.plot(w, "_", color="gray")
            axes.set_xlabel("weight")
            axes.set_title(title)
    numbers = {name: int((np.abs(v[3:]) > 0.02).sum()) for name, v in found.items()}
    errors = {f"{name}_error": np.linalg.norm(v - w) for name, v in found.items()}
    return numbers | errors, out.getvalue()


@tested_by("test_regularization.py", "test_dropout_is_unbiased")
def dropout_keeps_the_mean():
    """Dropout keeps the mean and adds noise

    What it does not set to zero it divides by the rate of what is kept, so nothing has to be
    rescaled at inference. Of 10,000 draws at a rate of 0.3, a unit of 1 has the mean {mean:.3f} and
    the standard deviation {deviation:.2f}; theory says 1 and `√(0.3 / 0.7)` = {theory:.2f}.
    """
    drawn = as_numpy(
        keras.layers.Dropout(0.3, seed=1)(np.ones((10_000, 4), "float32"), training=True)
    )
    means = np.cumsum(drawn, axis=0) / np.arange(1, 10_001)[:, None]
    with figure() as ((axes,), out):
        axes.semilogx(np.arange(1, 10_001), means, lw=1)
        axes.axhline(1, color="gray", lw=0.8)
        axes.set_xlabel("draws")
        axes.set_ylabel("mean of each of four units")
    numbers = {"mean": drawn.mean(), "deviation": drawn.std(), "theory": (0.3 / 0.7) ** 0.5}
    return numbers, out.getvalue()


@tested_by("test_networks.py", "test_dropout_helps_where_samples_are_few")
def dropout_helps_where_samples_are_few():
    """Dropout helps where samples are few

    Trained on 100 digits, the network of above gets {plain:.1%} of other digits right, and
    {dropout:.1%} with half of its hidden units dropped in training. It takes longer to fit the
    training samples, which is the point.
    """

    def dropped():
        return [v for layer in dense() for v in (layer, keras.layers.Dropout(0.5, seed=3))]

    plain, dropout = trained(dense, 100, 15), trained(dropped, 100, 15)
    with figure(2) as (both, out):
        for axes, name, title in (
            (both[0], "loss", "loss on training samples"),
            (both[1], "val_accuracy", "accuracy on other digits"),
        ):
            for label, history in (("plain", plain), ("dropout", dropout)):
                axes.plot(range(10, 151, 10), history[name], label=label)
            axes.set_xlabel("times that each sample was seen")
            axes.set_title(title)
        both[0].set_yscale("log")
        both[0].legend()
    numbers = {"plain": plain["val_accuracy"][-1], "dropout": dropout["val_accuracy"][-1]}
    return numbers, out.getvalue()


@tested_by(
    "test_regularization.py", "test_batch_normalization_normalizes_and_ignores_scale_and_shift"
)
def batch_normalization_normalizes():
    """Batch normalization gives mean 0 and variance 1

    Whatever the scale and the shift of a feature, its values in a batch leave the layer with mean
    {mean:.1e} and deviation {deviation:.3f}. At inference it takes averages from training, so a
    sample's output does not depend on the others of its batch.
    """
    x = np.random.default_rng(0).normal(3, 5, size=(256, 1)).astype("float32")
    y = as_numpy(keras.layers.BatchNormalization(epsilon=1e-6)(x, training=True))
    with figure() as ((axes,), out):
        axes.hist(x[:, 0], 30, alpha=0.6, label="before")
        axes.hist(y[:, 0], 10, alpha=0.6, label="after")
        axes.set_xlabel("value")
        axes.set_ylabel("samples")
        axes.legend()
    return {"mean": abs(y.mean()), "deviation": y.std()}, out.getvalue()


@keras.saving.register_keras_serializable("theory")
class Unsettled(keras.layers.Layer):
    """Noise that scales and shifts each feature anew in each batch of training."""

    def __init__(self, seed):
        super().__init__()
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, x, training=False):
        if not training:
            return x
        shape = (1, x.shape[-1])
        scale = keras.random.uniform(shape, 0.5, 1.5, seed=self.seed_generator)
        return x * scale + keras.random.normal(shape, stddev=0.5, seed=self.seed_generator)


@tested_by("test_networks.py", "test_batch_normalization_speeds_up_training")
def batch_normalization_speeds_up_training():
    """Batch normalization speeds up training, and not by steadier inputs

    A network of ten sigmoid layers on 1,000 digits is right on {plain:.0%} of other digits after
    ten epochs, with batch normalization on {normalized:.0%}. It was introduced to keep the
    distribution of each layer's inputs from shifting while the layers before it learn. That is not
    the reason: with noise behind each normalization that scales and shifts every feature anew in
    every batch, the network still gets to {unsettled:.0%} (Santurkar et al., 2018).
    """

    def deep(*after):
        def layers():
            found = []
            for i in range(10):
                found += [keras.layers.Dense(64), *(make(i) for make in after)]
                found.append(keras.layers.Activation("sigmoid"))
            return found

        return layers

    def normalization(_):
        return keras.layers.BatchNormalization(momentum=0.9)

    networks = {
        "plain": deep(),
        "normalized": deep(normalization),
        "unsettled": deep(normalization, Unsettled),
    }
    found = {
        name: trained(layers, 1000, 10, 1e-2)["val_accuracy"] for name, layers in networks.items()
    }
    with figure() as ((axes,), out):
        labels = ("plain", "batch normalization", "the same, with shifting noise")
        for label, accuracy in zip(labels, found.values(), strict=True):
            axes.plot(range(1, 11), accuracy, "o-", label=label)
        axes.set_xlabel("epoch")
        axes.set_ylabel("accuracy on other digits")
        axes.legend(fontsize=8)
    return {name: accuracy[-1] for name, accuracy in found.items()}, out.getvalue()
