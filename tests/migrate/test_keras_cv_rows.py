"""KerasCV's losses and layers: what replaces a call computes what KerasCV did.

`tests/golden/make_keras_cv_rows.py` made the old results. What differs is measured here.
"""

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


def per_label(got, wanted):
    """A mean over four labels instead of their sum."""
    same(4 * got, wanted)


def outside(got, wanted):
    """Keras's leaves the value range, and is the same within it where nothing is clipped."""
    assert got.min() < 0 <= wanted.min()


DIFFERENT = {
    "losses.FocalLoss": per_label,
    "losses.SmoothL1Loss(l1_cutoff=0.2)": apart(0.0075),
    "layers.Equalization": apart(11),
    "layers.RandomSaturation(factor=(0.7, 0.7))": outside,
    "layers.RandomSharpness": apart(54.73),
}
BY_CHANCE = ("layers.RandomHue", "layers.Solarization")  # hue goes up or down


@pytest.mark.parametrize(("name", "example"), CALLS, ids=lambda text: text or "default")
def test_value(name, example):
    row = ROWS[name]
    made = successor(row, other_calls.given(row.signature.names, example))
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
