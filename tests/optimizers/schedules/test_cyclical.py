import pytest
from keras import ops

from kcatalog.optimizers.schedules import Cyclical
from tests.golden.load import golden
from tests.optimizers.schedules.rates import assert_same_rates

MODES = ("triangular", "triangular2", "exponential")


def schedule(mode, S=7, gamma=0.96875):
    return Cyclical(0.125, 0.75, half_cycle_steps=S, mode=mode, gamma=gamma)


def reference(step, mode, S, gamma=0.96875, low=0.125, high=0.75):
    """Smith, section 3.1, walked through step by step: up S steps, down S steps."""
    height, share, direction = high - low, 0, 1
    for _ in range(step):
        share += direction
        if share in (0, S):
            direction = -direction
        if share == 0 and mode == "triangular2":
            height /= 2
    factor = gamma**step if mode == "exponential" else 1
    return low + height * share / S * factor


@pytest.mark.parametrize("S", [1, 7])
@pytest.mark.parametrize("mode", MODES)
def test_reference(mode, S):
    assert_same_rates(schedule(mode, S), [reference(t, mode, S) for t in range(40)])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("peer", ["tfa_schedules", "torch_schedules"])
def test_golden(peer, mode):
    name = mode if peer == "tfa_schedules" else f"cyclic_{mode}"
    assert_same_rates(schedule(mode), golden(peer)[name])


def test_it_stays_within_its_bounds_after_millions_of_steps():
    for step in (10**6 + 3, 2**24 - 1, 2**24):
        rate = float(ops.convert_to_numpy(schedule("triangular")(step)))
        assert rate == pytest.approx(reference(step % 14, "triangular", 7), abs=0.2)
        assert 0.125 <= rate <= 0.75


def test_the_upper_bound_is_not_below_the_lower_one():
    assert float(ops.convert_to_numpy(Cyclical(0.5, 0.5)(123))) == 0.5
    with pytest.raises(ValueError, match="Cyclical: `maximal_learning_rate` must be at least"):
        Cyclical(0.5, 0.25)
