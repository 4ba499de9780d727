import math

import pytest

from kcatalog.optimizers.schedules import WarmupStableDecay
from tests.golden.load import golden
from tests.optimizers.schedules.rates import assert_same_rates

DECAYS = ("linear", "cosine", "1-sqrt")


def reference(t, decay, W=8, S=12, D=16, start=0.0, rate=0.75, end=0.0):
    """Hu et al., section 4.2, with the curves of Hägele et al. in place of its decay."""
    if t < W:
        return start + (rate - start) * t / W
    if t < W + S:
        return rate
    if t >= W + S + D:
        return end
    s = (t - W - S) / D
    f = {"linear": 1 - s, "cosine": (1 + math.cos(math.pi * s)) / 2, "1-sqrt": 1 - math.sqrt(s)}
    return end + (rate - end) * f[decay]


@pytest.mark.parametrize(
    "settings",
    [{}, {"start": 0.25, "end": 0.125}, {"W": 0}, {"S": 0}, {"W": 0, "S": 0, "D": 1}],
    ids=str,
)
@pytest.mark.parametrize("decay", DECAYS)
def test_reference(decay, settings):
    values = {"W": 8, "S": 12, "D": 16, "start": 0.0, "end": 0.0, **settings}
    schedule = WarmupStableDecay(
        0.75, values["W"], values["S"], values["D"], decay, values["start"], values["end"]
    )
    assert_same_rates(schedule, [reference(t, decay, **values) for t in range(45)])


@pytest.mark.parametrize("decay", DECAYS)
def test_golden(decay):
    """The peer's final rate of 1/8 is a share of the rate; it has one in "cosine" only."""
    end = 0.125 * 0.75 if decay == "cosine" else 0.0
    schedule = WarmupStableDecay(0.75, 8, 12, 16, decay, final_learning_rate=end)
    assert_same_rates(schedule, golden("torch_schedules")[f"wsd_{decay}"])
