import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.conformance import descent
from kcatalog.optimizers import GradientCentralization, Lookahead, SkipNonFinite
from tests.golden.load import golden
from tests.optimizers.paths import assert_same_paths
from tests.optimizers.problems import paths

BAD_STEPS = (2, 3, 7)


class Poisoned:
    """An optimizer that is given a NaN at some steps."""

    def __init__(self, optimizer):
        self.optimizer, self.step = optimizer, 0

    def apply(self, gradients, variables):
        self.step += 1
        if self.step in BAD_STEPS:
            gradients = [gradients[0] * np.nan, *gradients[1:]]
        self.optimizer.apply(gradients, variables)


def adam():
    return keras.optimizers.Adam(0.0625, 0.75, 1 - 2**-10, epsilon=1e-14)


def reference(start):
    """Adam that does not see the gradients of bad steps."""
    weights = [w.astype("float64") for w in start]
    m, v = [0 * w for w in weights], [0 * w for w in weights]
    step = good = 0

    def one(gradients):
        nonlocal step, good
        step += 1
        if step not in BAD_STEPS:
            good += 1
            for k, g in enumerate(gradients):
                m[k] = 0.75 * m[k] + 0.25 * g
                v[k] = (1 - 2**-10) * v[k] + 2**-10 * g * g
                m_hat, v_hat = m[k] / (1 - 0.75**good), v[k] / (1 - (1 - 2**-10) ** good)
                weights[k] = weights[k] - 0.0625 * m_hat / np.sqrt(v_hat + 1e-300)
        return weights

    return one


def test_reference():
    assert_same_paths(lambda: Poisoned(SkipNonFinite(adam())), paths(reference))


def test_golden():
    peer = golden("optax_apply_if_finite")
    assert tuple(peer["bad_steps"]) == BAD_STEPS
    assert_same_paths(lambda: Poisoned(SkipNonFinite(adam())), peer)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_bad_step_changes_nothing_and_is_counted(bad):
    inner = keras.optimizers.Adam(0.1, weight_decay=0.1, use_ema=True)
    optimizer, w = SkipNonFinite(inner), keras.Variable([1.0, 2.0])
    optimizer.apply([ops.ones(2)], [w])
    before = [ops.convert_to_numpy(v.value) for v in (w, *inner.variables)]
    optimizer.apply([ops.convert_to_tensor([bad, 1.0])], [w])
    after = [ops.convert_to_numpy(v.value) for v in (w, *inner.variables)]
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (int(optimizer.skipped), int(optimizer.skipped_in_a_row)) == (1, 1)
    optimizer.apply([ops.ones(2)], [w])
    assert (int(optimizer.skipped), int(optimizer.skipped_in_a_row)) == (1, 0)
    assert int(optimizer.iterations) == 2


def test_too_many_in_a_row_stop_the_run():
    optimizer, w = SkipNonFinite(keras.optimizers.SGD(), limit=2), keras.Variable([1.0])
    bad = ops.convert_to_tensor([np.nan])
    optimizer.apply([bad], [w])
    optimizer.apply([ops.ones(1)], [w])
    optimizer.apply([bad], [w])
    optimizer.check()
    with pytest.raises(FloatingPointError, match="gradients of 2 steps in a row hold a NaN"):
        optimizer.apply([bad], [w])
    with pytest.raises(FloatingPointError, match="the last good step"):
        optimizer.check()


def test_a_bad_micro_batch_is_left_out():
    inner = keras.optimizers.SGD(1.0, gradient_accumulation_steps=2)
    optimizer, w = SkipNonFinite(inner), keras.Variable([0.0])
    for g in (1.0, np.nan, 3.0):
        optimizer.apply([ops.convert_to_tensor([g])], [w])
    np.testing.assert_allclose(ops.convert_to_numpy(w.value), [-2.0])


@pytest.mark.parametrize("nested", [lambda o: Lookahead(o, 2), GradientCentralization])
@pytest.mark.parametrize("outside", [True, False])
def test_wrappers_outside_and_inside_do_not_see_a_bad_step(nested, outside):
    def run(gradients):
        inner = keras.optimizers.SGD(0.1, momentum=0.9)
        o = SkipNonFinite(nested(inner)) if outside else nested(SkipNonFinite(inner))
        return descent.run(o, gradients)[-1]

    good = np.random.default_rng(0).normal(size=(5, 4, 3)).astype("float32")
    with_bad = np.insert(good, 2, np.nan, axis=0)
    np.testing.assert_allclose(run(with_bad), run(good), rtol=1e-6)


def test_a_compiled_step_skips(rng):
    x, y = rng.normal(size=(12, 3)).astype("float32"), rng.normal(size=(12, 2)).astype("float32")

    def weights(x, y, limit=10):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        model.compile(SkipNonFinite("adam", limit), "mse")
        model.fit(x, y, batch_size=2, shuffle=False, verbose=0)
        return model.get_weights(), int(model.optimizer.skipped)

    bad = [4, 4, 8, 8]  # two batches of two
    (expected, none) = weights(x, y)
    (found, skipped) = weights(np.insert(x, bad, np.nan, axis=0), np.insert(y, bad, 0.0, axis=0))
    assert (none, skipped) == (0, 2)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.tensorflow
def test_replicas_skip_together():
    s_model = lambda: descent.model(SkipNonFinite(keras.optimizers.Adam(0.1)))  # noqa: E731
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32, 5)).astype("float32"), rng.normal(size=(32, 2)).astype("float32")
    x[9] = np.nan  # in one replica's half of the second batch
    one = s_model()
    with descent.two_replicas().scope():
        two = s_model()
    expected, found = descent.fit(one, (x, y)), descent.fit(two, (x, y))
    descent.all_close(found, expected, "two replicas and one")
    assert [int(ops.convert_to_numpy(m.optimizer.skipped)) for m in (one, two)] == [1, 1]


def test_finite_gradients_whose_sum_overflows_make_a_step():
    optimizer, w = SkipNonFinite(keras.optimizers.SGD(1.0)), keras.Variable([0.0, 0.0])
    optimizer.apply([ops.full((2,), 3e38)], [w])
    np.testing.assert_allclose(ops.convert_to_numpy(w.value), -3e38)
    assert int(optimizer.skipped) == 0
