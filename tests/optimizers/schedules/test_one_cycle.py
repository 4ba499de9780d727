import itertools
import math

import numpy as np
import pytest
from keras import ops

from kcatalog.optimizers.schedules import OneCycle
from tests.golden.load import golden
from tests.optimizers.schedules.rates import assert_same_rates


def schedule(curve, cycle_end=1.0):
    return OneCycle(0.5, 40, 0.25, cycle_end, 10.0, 100.0, curve)


def reference(step, curve, cycle_end=1.0):
    """Straight or cosine pieces between points: (0, η₁/d₀), (aT, η₁), (bT, η₁/d₀), (T, the end)."""
    points = [(0, 0.05), (10, 0.5), (40 * cycle_end, 0.05), (40, 0.0005)]
    if cycle_end == 1.0:
        points.pop(2)
    for (before, x), (after, y) in itertools.pairwise(points):
        if step < after:
            s = (step - before) / (after - before)
            if curve == "cosine":
                return y + (x - y) * (1 + math.cos(math.pi * s)) / 2
            return x + (y - x) * s
    return points[-1][1]


@pytest.mark.parametrize("cycle_end", [1.0, 0.7])
@pytest.mark.parametrize("curve", ["cosine", "linear"])
def test_reference(curve, cycle_end):
    expected = [reference(t, curve, cycle_end) for t in range(60)]
    assert_same_rates(schedule(curve, cycle_end), expected)


@pytest.mark.parametrize(
    ("peer", "name", "curve", "cycle_end"),
    [
        ("optax_schedules", "cosine_onecycle", "cosine", 1.0),
        ("optax_schedules", "linear_onecycle", "linear", 0.75),
        ("torch_schedules", "one_cycle_cosine", "cosine", 1.0),
        ("torch_schedules", "one_cycle_linear", "linear", 1.0),
        ("torch_schedules", "one_cycle_three_phases", "linear", 0.5),
    ],
)
def test_golden(peer, name, curve, cycle_end):
    assert_same_rates(schedule(curve, cycle_end), golden(peer)[name])


def test_the_end_is_exact_in_float32():
    """A sum of differences of large rates would lose the small one."""
    rate = ops.convert_to_numpy(OneCycle(1.0, 1000, final_divisor=1e8)(1000))
    np.testing.assert_allclose(rate, 1 / 25 / 1e8, rtol=1e-6)


def test_the_cycle_ends_after_its_peak():
    with pytest.raises(ValueError, match="OneCycle: `cycle_end` must be above peak"):
        OneCycle(1.0, 100, peak=0.5, cycle_end=0.5)
