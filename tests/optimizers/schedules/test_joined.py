import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.optimizers.schedules import Cyclical, Joined, OneCycle, WarmUp, WarmupStableDecay
from tests.golden.load import golden
from tests.optimizers.schedules.rates import assert_same_rates

PARTS = [OneCycle(0.5, 9), 0.25, Cyclical(0.125, 0.75, 3), WarmUp(0.5, 4)]


def at(schedule, steps):
    """Return the rates at some steps; a constant has the same rate at all of them."""
    if not callable(schedule):
        return np.full(len(steps), schedule)
    return ops.convert_to_numpy(schedule(ops.convert_to_tensor(steps, "int32")))


def reference(last, boundaries):
    """Put the beginnings of the schedules one behind the other."""
    ends = [*boundaries, last]
    lengths = np.diff([0, *ends])
    return np.concatenate([at(p, range(n)) for p, n in zip(PARTS, lengths, strict=True)])


@pytest.mark.parametrize("boundaries", [[10, 15, 40], [1, 2, 3]], ids=str)
def test_reference(boundaries):
    schedule = Joined(PARTS, boundaries)
    np.testing.assert_allclose(at(schedule, range(50)), reference(50, boundaries), rtol=1e-6)


def test_golden():
    ours = Joined([WarmUp(WarmupStableDecay(0.5, 0, 0, 20, "cosine"), 8), 0.125], [30])
    assert_same_rates(ours, golden("optax_schedules")["joined"])


def test_restarts_with_a_warm_up_in_each_cycle():
    """The peer's cycles of 20 steps, the first 5 of them warm-up, each half as high as before."""
    peaks = [0.5, 0.25, 0.125]
    cycles = [WarmupStableDecay(p, 5, 0, 15, "cosine", 0.125, 0.125) for p in peaks]
    assert_same_rates(Joined(cycles, [20, 40]), golden("torch_schedules")["warmup_restarts"])


def test_nested_joins_are_one_long_join():
    a, b, c = PARTS[0], PARTS[2], PARTS[3]
    flat, nested = Joined([a, b, c], [7, 20]), Joined([a, Joined([b, c], [13])], [7])
    warmed = WarmUp(Joined([a, b, c], [7, 20]), 3)
    steps = list(range(40))
    np.testing.assert_allclose(at(nested, steps), at(flat, steps), rtol=1e-6)
    np.testing.assert_allclose(at(warmed, range(3, 43)), at(flat, steps), rtol=1e-6)


def test_it_is_saved_with_what_it_joins():
    schedule = Joined([*PARTS, keras.optimizers.schedules.CosineDecay(0.5, 9)], [10, 15, 40, 60])
    config = keras.saving.serialize_keras_object(schedule)
    again = keras.saving.deserialize_keras_object(config)
    for step in (5, 12, 30, 50, 65):
        assert ops.convert_to_numpy(again(step)) == ops.convert_to_numpy(schedule(step))


@pytest.mark.parametrize("boundaries", [[5, 5, 6], [0, 1, 2], [1.5, 2, 3], 4, "abc"], ids=str)
def test_boundaries_are_increasing_steps(boundaries):
    with pytest.raises(ValueError, match="Joined: `boundaries` must be"):
        Joined(PARTS, boundaries)


@pytest.mark.parametrize(
    "schedules", [PARTS[:2], [-1.0, *PARTS[1:]], PARTS[0]], ids=["few", "number", "one"]
)
def test_there_is_one_schedule_more_than_boundaries(schedules):
    with pytest.raises(ValueError, match="Joined: `schedules` must be"):
        Joined(schedules, [1, 2, 3])
