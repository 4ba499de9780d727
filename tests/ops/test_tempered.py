import numpy as np
import pytest
from keras import ops

from kcatalog.conformance.backend import as_numpy, value_and_gradients
from kcatalog.ops.tempered import tempered_log, tempered_log_softmax


def reference(row, t):
    """`λ` by halving the interval in which the probabilities sum to 1."""
    row = row.astype("float64") - row.max()

    def p(λ):
        return (1 + (1 - t) * (row - λ)) ** (1 / (1 - t))

    low, high = 0.0, (len(row) ** (t - 1) - 1) / (t - 1) + 1e-9
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(p(middle)) > 1 else (low, middle)
    return p(low)


@pytest.mark.parametrize("t", [1.001, 1.5, 2.0, 5.0])
@pytest.mark.parametrize("classes", [2, 1000])
def test_reference(rng, t, classes):
    spread = np.array([[0.0], [1.0], [20.0], [1e4]])
    s = (spread * rng.normal(size=(4, classes))).astype("float32")
    p = as_numpy(ops.exp(tempered_log_softmax(ops.convert_to_tensor(s), t)))
    np.testing.assert_allclose(p, [reference(row, t) for row in s], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("t", [1.0, 1.0001, 1.5, 2.0, 3.0, 5.0])
def test_sums_to_one_for_logits_that_slow_newton_down(t):
    """One logit on top, few below it, many far below: where the most steps are needed."""
    s = np.concatenate([np.zeros(1), -np.full(30, 3.0), -np.full(20_000, 200.0)])
    s = np.stack([s, s / 10, s * 10, s * 100]).astype("float32")
    log_p = as_numpy(tempered_log_softmax(ops.convert_to_tensor(s), t)).astype("float64")
    np.testing.assert_allclose(np.exp(log_p).sum(-1), 1, rtol=2e-5)


@pytest.mark.parametrize("t", [1.3, 4.0])
def test_gradient_of_the_normalization_is_the_escort_distribution(rng, t):
    s = 2 * rng.normal(size=(1, 6)).astype("float32")
    w = rng.normal(size=6).astype("float32")
    _, (gradient,) = value_and_gradients(
        lambda s: ops.sum(ops.convert_to_tensor(w) * tempered_log_softmax(s, t)), [s]
    )
    p = reference(s[0], t)
    escort = p**t / sum(p**t)
    slope = p ** (t - 1)  # of log exp_t at each logit
    np.testing.assert_allclose(
        gradient[0], w * slope - escort * sum(w * slope), rtol=1e-3, atol=1e-5
    )


def test_tempered_log(rng):
    u = rng.uniform(0.01, 3, 9).astype("float32")
    for t in (0.0, 0.5, 1.5):
        log_t = as_numpy(tempered_log(ops.log(u), t))
        np.testing.assert_allclose(log_t, (u ** (1 - t) - 1) / (1 - t), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(as_numpy(tempered_log(ops.log(u), 1)), as_numpy(ops.log(u)))
