"""Convolution, pooling and shifts

A convolution looks at small windows with the same weights everywhere, which suits grids such as
images. Pooling makes the grid smaller. The rest of this page is about what that does to an object
that moves, where much is said that is only nearly true.
"""

import keras
import numpy as np
from keras import ops
from sklearn.datasets import load_digits

from docs.site.plots.figure import figure
from docs.theory.statement import tested_by
from kcatalog import layers
from kcatalog.conformance.backend import as_numpy


@tested_by("test_networks.py", "test_a_convolution_shares_its_weights")
def a_convolution_shares_its_weights():
    """A convolution shares its weights

    Eight filters of 3×3 over an image of 28×28 have {shared:,} weights, whatever the image's size.
    A dense layer with as many outputs has {dense:,}.
    """
    sizes = [8, 12, 16, 20, 24, 28]
    dense = [n**2 * 8 * n**2 + 8 * n**2 for n in sizes]
    shared = []
    for n in sizes:
        convolution = keras.layers.Conv2D(8, 3, padding="same")
        convolution.build((None, n, n, 1))
        shared.append(convolution.count_params())
    with figure() as ((axes,), out):
        axes.semilogy(sizes, dense, "o-", label="dense")
        axes.semilogy(sizes, shared, "o-", label="convolution")
        axes.set_xlabel("side of the image, pixels")
        axes.set_ylabel("weights")
        axes.legend()
    return {"shared": shared[-1], "dense": dense[-1]}, out.getvalue()


@tested_by("test_networks.py", "test_a_filter_finds_edges")
def a_filter_finds_edges():
    """A filter finds a feature wherever it is

    The filter `[-1, 0, 1]` is the difference of two neighbours, and large at upright edges. Turned,
    it finds level ones. Of this digit's strokes, each filter answers at its own: their answers have
    a correlation of {correlation:.2f}. Networks learn such filters in their first layer.
    """
    image = load_digits().images[0].astype("float32")[None, :, :, None] / 16
    kernels = np.zeros((3, 3, 1, 2), "float32")
    kernels[1, :, 0, 0] = kernels[:, 1, 0, 1] = [-1, 0, 1]
    found = np.abs(as_numpy(ops.conv(image, kernels, padding="same")))[0]
    with figure(3) as (all_axes, out):
        shown = {"image": image[0, :, :, 0], "upright edges": found[..., 0]}
        shown["level edges"] = found[..., 1]
        for axes, (title, values) in zip(all_axes, shown.items(), strict=True):
            axes.imshow(values, cmap="gray")
            axes.set_title(title)
            axes.set_axis_off()
    correlation = np.corrcoef(found[..., 0].ravel(), found[..., 1].ravel())[0, 1]
    return {"correlation": correlation}, out.getvalue()


@tested_by(
    "test_regularization.py",
    "test_convolution_commutes_with_shifts_and_blurred_pooling_nearly_does",
)
def a_convolution_moves_with_its_input():
    """A convolution moves with its input

    Shift the input by one pixel, and the output shifts by one pixel: apart from the border they
    differ by {difference:.1g}. That is equivariance. It is not invariance: place by place, the
    outputs before and after the shift differ by {moved:.2g}.
    """
    x = np.random.default_rng(0).normal(size=(1, 32, 32, 1)).astype("float32")
    convolution = keras.layers.Conv2D(1, 3, padding="same")
    before, after = (as_numpy(convolution(v))[0, 16, 3:-3, 0] for v in (x, np.roll(x, 1, axis=2)))
    with figure(2, sharey=True) as ((left, right), out):
        for axes, other, title in ((left, before[1:], "as it was"), (right, before[:-1], "moved")):
            axes.plot(after[1:], label="output for the moved input")
            axes.plot(other, "--", label=f"output {title}")
            axes.set_xlabel("column")
            axes.legend(fontsize=8)
    numbers = {"difference": np.abs(after[1:] - before[:-1]).max()}
    return {**numbers, "moved": np.abs(after - before).max()}, out.getvalue()


DOWNSAMPLING = {
    "stride": lambda: [keras.layers.MaxPooling2D(1, 2)],
    "max pooling": lambda: [keras.layers.MaxPooling2D(2, 2)],
    "max pooling, blurred": lambda: [
        keras.layers.MaxPooling2D(2, 1, "same"),
        layers.BlurPooling2D(5, padding="constant"),
    ],
}


def scores(x, downsampling):
    """Return the scores of images by a random network of three stages, alike on each backend."""
    for stage in range(3):
        kernel = np.random.default_rng(stage).normal(size=(3, 3, x.shape[-1], 8))
        kernel *= (2 / 9 / x.shape[-1]) ** 0.5
        x = ops.relu(ops.conv(x, kernel.astype("float32"), padding="same"))
        for layer in DOWNSAMPLING[downsampling]():
            x = layer(x)
    return as_numpy(ops.mean(x, axis=(1, 2))) @ np.random.default_rng(5).normal(size=8)


@tested_by("test_pooling.py", "test_pooling_makes_scores_stable_under_shifts")
def pooling_is_only_partly_invariant():
    """Pooling is invariant to small shifts only in part

    It is often said that pooling makes a network invariant to small translations. Through three
    random stages, each of which halves the image, a shift of an object by one pixel changes its
    score by {stride:.2f} standard deviations of scores among objects if stages only skip pixels, by
    {maximum:.2f} with max pooling, and by {blurred:.2f} if a blur goes before the skipping
    (`BlurPooling2D`). Max pooling helps little; what it takes is a low-pass filter.
    """
    images = np.zeros((48, 48, 48, 1), "float32")
    images[:, 18:30, 18:30] = np.random.default_rng(3).normal(size=(48, 12, 12, 1))
    found = {}
    for name in DOWNSAMPLING:
        score = scores(images, name)
        found[name] = [
            np.abs(scores(np.roll(images, shift, 2), name) - score).mean() / score.std()
            for shift in range(5)
        ]
    with figure() as ((axes,), out):
        for label, changes in found.items():
            axes.plot(range(5), changes, "o-", label=label)
        axes.set_xlabel("shift, pixels")
        axes.set_ylabel("change of the score")
        axes.legend()
    stride, maximum, blurred = (changes[1] for changes in found.values())
    return {"stride": stride, "maximum": maximum, "blurred": blurred}, out.getvalue()


@tested_by("test_networks.py", "test_pooling_saves_computation")
def pooling_saves_computation():
    """Pooling saves computation

    Halving both sides leaves a quarter of the places to compute at. Of three convolutions of 32
    channels on an image of 64×64, the multiplications fall from {whole:,} to {pooled:,} with
    pooling after each of the first two.
    """
    side, channels, counts = 64, 32, {}
    for pool in (1, 2):
        here, counts[pool] = side, []
        for inputs in (1, channels, channels):
            counts[pool].append(here * here * 9 * inputs * channels)
            here //= pool
    with figure() as ((axes,), out):
        axes.bar(np.arange(3) - 0.2, counts[1], 0.4, label="without pooling")
        axes.bar(np.arange(3) + 0.2, counts[2], 0.4, label="with pooling")
        axes.set_xticks(range(3), ["first", "second", "third"])
        axes.set_xlabel("convolution")
        axes.set_ylabel("multiplications")
        axes.legend()
    return {"whole": sum(counts[1]), "pooled": sum(counts[2])}, out.getvalue()
