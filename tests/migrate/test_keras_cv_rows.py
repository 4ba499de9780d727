"""KerasCV's losses and layers: what replaces a call computes what KerasCV did.

`tests/golden/make_keras_cv_rows.py` made the old results. What differs is measured here.
"""

import re

import keras
import numpy as np
import pytest

from kcatalog.migrate import table
from tests.golden.load import golden
from tests.migrate import other_calls
from tests.migrate.successors import successor

pytestmark = [pytest.mark.once, pytest.mark.tensorflow]
ROWS = table.load("keras_cv").rows
CALLS = [(name, example) for name, row in ROWS.items() for example in row.examples]


def same(got, wanted):
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)


def apart(largest):
    """Compare results whose largest difference is this."""

    def compare(got, wanted):
        np.testing.assert_allclose(np.abs(got - wanted).max(), largest, rtol=0.01)

    return compare


def jumps(got, wanted):
    """Two straight lines: one meets the parabola at the cutoff, the other one for cutoff 1."""
    y, p = other_calls.inputs("losses.SmoothL1Loss")
    e = np.abs(y - p)
    for value, line in ((got, 0.2 * (e - 0.1)), (wanted, e - 0.5)):
        same(value, np.where(e < 0.2, e**2 / 2, line).mean())


def per_label(got, wanted):
    """A mean over four labels instead of their sum."""
    same(4 * got, wanted)


def outside(got, wanted):
    """Keras's leaves the value range, and is the same within it where nothing is clipped."""
    assert got.min() < 0 <= wanted.min()


DIFFERENT = {
    "losses.FocalLoss": per_label,
    "losses.SmoothL1Loss(l1_cutoff=0.2)": jumps,
    "layers.Equalization": apart(11),
    "layers.RandomSaturation(factor=(0.7, 0.7))": outside,
    "layers.RandomSharpness": apart(54.73),
}
BY_CHANCE = ("layers.RandomHue", "layers.Solarization")  # hue goes up or down


def calls_of(test):
    """Parametrize a test with the examples of its rows."""
    calls = [call for call in CALLS if ROWS[call[0]].test == test]
    return pytest.mark.parametrize(("name", "example"), calls, ids=lambda text: text or "default")


def replacement(name, example):
    row = ROWS[name]
    return successor(row, other_calls.given(row.signature.names, example, keras=keras))


@calls_of("cv_value")
def test_value(name, example):
    row, made = ROWS[name], replacement(name, example)
    wanted = golden("keras_cv_rows")[f"{name}({example})"]
    if name in BY_CHANCE:
        some_draw(row, made, wanted)
        return
    if name == "losses.SimCLRLoss":
        views = np.concatenate(other_calls.inputs(name))
        got = 2 * made(np.tile(np.arange(len(views) // 2), 2), views)
    else:
        got = other_calls.outcome(name, made)
    compare = DIFFERENT.get(f"{name}({example})", DIFFERENT.get(name, same))
    compare(got, wanted)


def some_draw(row, made, wanted):
    """Compare each image with those of 20 draws, one of which is the same; or none, as said."""
    draws = np.stack([other_calls.outcome(row.name, made) for _ in range(20)])
    found = np.isclose(draws, wanted, rtol=1e-3, atol=0.1).all(axis=(2, 3, 4)).any(axis=0)
    if "threshold_factor" in str(made.get_config()) and made.threshold_factor[1]:
        assert row.differs
        assert not found.any()
    else:
        assert found.all()


# --- layers that draw -------------------------------------------------------------------


def same_law(got, wanted, rtol=0.1):
    """Compare means and deviations of many draws, within five of their standard errors."""
    for what in ("images", "labels"):
        if f"{what}/mean" not in wanted:
            continue
        (m, s), (n, t) = ([x[f"{what}/{k}"] for k in ("mean", "deviation")] for x in (got, wanted))
        error = np.sqrt((s**2 + t**2) / (other_calls.DRAWS // 2))
        assert (np.abs(m - n) <= 5 * error + 1e-3).all(), what
        np.testing.assert_allclose(s.mean(), t.mean(), rtol=rtol)


def changes(x):
    """Return how far the mean of many draws is from the images."""
    return np.abs(x["images/mean"] - other_calls.images()).mean()


def stronger(by):
    """Compare the mean changes: Keras's are this many times KerasCV's."""

    def compare(got, wanted):
        np.testing.assert_allclose(changes(got) / changes(wanted), by, rtol=0.1)

    return compare


def other_rectangles(got, wanted):
    """Weights of labels have the same law; the first row of pixels never changes."""
    same = {k: v for k, v in wanted.items() if k.startswith("labels")}
    same_law({k: got[k] for k in same}, same, rtol=0.15)
    mine, theirs = (np.abs(x["images/mean"] - other_calls.images())[:, 0] for x in (got, wanted))
    assert mine.max() == 0 < theirs.min()


def one_place(got, wanted):
    """All images of a batch are cropped at one place."""
    assert got["images/deviation"].max() == 0 < wanted["images/deviation"].min()
    assert got["images/mean"].shape == wanted["images/mean"].shape


def both_ways(got, wanted):
    """The mean of an image and of what is flipped twice, not of four."""
    x = other_calls.images()
    flips = [x, x[:, ::-1, ::-1], x[:, ::-1], x[:, :, ::-1]]
    error = 5 * np.std(flips, axis=0).max() / np.sqrt(other_calls.DRAWS // 2)
    assert np.abs(got["images/mean"] - np.mean(flips[:2], axis=0)).max() < error
    assert np.abs(wanted["images/mean"] - np.mean(flips, axis=0)).max() < error


def one_sign(got, wanted):
    """Two shears, which vary less than four."""
    mine, theirs = (x["images/deviation"].mean() for x in (got, wanted))
    np.testing.assert_allclose(mine / theirs, 0.8, rtol=0.1)


def few_levels(got, wanted):
    assert np.abs(got["images/mean"] - wanted["images/mean"]).mean() < 5


OTHER_LAW = {
    "layers.AugMix": stronger(1.47),
    "layers.CutMix": other_rectangles,
    "layers.RandAugment": stronger(1.26),
    "layers.RandomColorJitter": few_levels,
    "layers.RandomCrop": one_place,
    "layers.RandomCutout": stronger(1.29),
    "layers.RandomFlip(mode='horizontal_and_vertical')": both_ways,
    "layers.RandomShear(x_factor=(0.2, 0.2), y_factor=(0.1, 0.1))": one_sign,
}


@calls_of("cv_chance")
def test_law(name, example):
    """Compare mean and deviation of many draws with those of KerasCV."""
    keras.utils.set_random_seed(3)
    got = other_calls.drawn(name, replacement(name, example))
    stored, key = golden("keras_cv_rows"), f"{name}({example})/"
    wanted = {k.removeprefix(key): v for k, v in stored.items() if k.startswith(key)}
    compare = OTHER_LAW.get(key[:-1], OTHER_LAW.get(name))
    assert not compare or ROWS[name].differs or ROWS[name].hint
    (compare or same_law)(got, wanted)


def test_one_flip_for_each_direction():
    """Two layers do what KerasCV did in one, as the row says."""
    keras.utils.set_random_seed(3)
    both = keras.layers.Pipeline([keras.layers.RandomFlip(x) for x in ("horizontal", "vertical")])
    key = "layers.RandomFlip(mode='horizontal_and_vertical')/"
    stored = golden("keras_cv_rows")
    wanted = {k.removeprefix(key): v for k, v in stored.items() if k.startswith(key)}
    same_law(other_calls.drawn("layers.RandomFlip", both), wanted)


def test_code_of_reasons():
    """The lines of code in place of `RandomApply` and `RepeatedAugmentation`."""
    keras.utils.set_random_seed(3)
    x, layer = np.ones((64, 2, 2, 1), "float32"), keras.layers.Rescaling(3.0)
    (apply,) = re.findall("`([^`]+)`", ROWS["layers.RandomApply"].reason)
    for rate, most in ((0.0, 0), (0.5, 50), (1.0, 64)):
        space = {"keras": keras, "x": x, "layer": layer, "rate": rate}
        changed = np.ptp(np.asarray(eval(apply, space)), axis=(1, 2, 3)) == 0  # noqa: S307
        assert changed.all()
        count = int((np.asarray(eval(apply, space))[:, 0, 0, 0] == 3).sum())  # noqa: S307
        assert most - 32 * (rate == 0.5) <= count <= most
    (repeat,) = re.findall("`([^`]+)`", ROWS["layers.RepeatedAugmentation"].reason)
    space = {"keras": keras, "x": x, "augmenters": [layer, keras.layers.Rescaling(2.0)]}
    got = np.asarray(eval(repeat, space))  # noqa: S307
    np.testing.assert_array_equal(got[:, 0, 0, 0], [3.0] * 64 + [2.0] * 64)
