import keras
import numpy as np
import pytest

from kcatalog.optimizers.schedules import WarmUp


def reference(step, schedule, T, start):
    """Goyal et al., section 2.2: a straight line up, then the schedule from its own beginning."""
    if step < T:
        return start + (schedule(0) - start) * step / T
    return schedule(step - T)


def cosine(step, peak=0.4, length=20):
    return peak * 0.5 * (1 + np.cos(np.pi * min(step, length) / length))


@pytest.mark.parametrize("start", [0.0, 0.1])
@pytest.mark.parametrize("T", [1, 7])
def test_reference(T, start):
    decay = keras.optimizers.schedules.CosineDecay(0.4, 20)
    schedule = WarmUp(decay, warmup_steps=T, initial_learning_rate=start)
    constant = WarmUp(0.3, warmup_steps=T, initial_learning_rate=start)
    for step in range(35):
        assert float(schedule(step)) == pytest.approx(reference(step, cosine, T, start), abs=1e-6)
        expected = reference(step, lambda _: 0.3, T, start)
        assert float(constant(step)) == pytest.approx(expected, abs=1e-6)


def test_same_as_kerass_own_warm_up():
    ours = WarmUp(keras.optimizers.schedules.CosineDecay(0.4, 20), 5)
    theirs = keras.optimizers.schedules.CosineDecay(0.0, 20, warmup_target=0.4, warmup_steps=5)
    for step in range(30):
        assert float(ours(step)) == pytest.approx(float(theirs(step)), abs=1e-6)
